package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// TokenIDs are the ids that the config and the settings of generation beside it name: begin, end, padding, the picture's place.
// They belong to no text, and a cut of the vocabulary must leave them.
func (c *Config) TokenIDs() []int {
	ids := map[int]bool{}
	note := func(id int) (int, bool) {
		if id >= 0 && id < c.Text.Vocabulary {
			ids[id] = true
		}
		return id, true
	}
	table, err := c.tokenTable()
	if err == nil {
		renumber(table, note)
	}
	if generation, err := decoded(c.generation); err == nil {
		renumber(generation, note)
	}
	return slices.Sorted(maps.Keys(ids))
}

// KeepTokens makes the config that of a network whose vocabulary was cut to these tokens, in order: its ids are numbered anew, and
// one whose token is gone is left out.
func (c *Config) KeepTokens(kept []int) error {
	to := make(map[int]int, len(kept))
	tokens := make([]int, len(kept))
	for i, id := range kept {
		to[id] = i
		if tokens[i] = id; c.Tokens != nil {
			tokens[i] = c.Tokens[id]
		}
	}
	changed := func(id int) (int, bool) {
		if id < 0 {
			return id, true
		}
		n, ok := to[id]
		return n, ok
	}
	table, err := c.tokenTable()
	if err != nil {
		return err
	}
	renumber(table, changed)
	text, err := json.Marshal(table)
	if err != nil {
		return err
	}
	cut, err := ParseConfig(text)
	if err != nil {
		return fmt.Errorf("the config of %d tokens: %w", len(kept), err)
	}
	cut.Structure, cut.Tokens, cut.generation = c.Structure, tokens, c.generation
	if c.generation != nil {
		generation, err := decoded(c.generation)
		if err != nil {
			return fmt.Errorf("%s: %w", generationName, err)
		}
		renumber(generation, changed)
		if cut.generation, err = json.MarshalIndent(generation, "", "  "); err != nil {
			return err
		}
	}
	*c = *cut
	return nil
}

// tokenTable is the config as it is written, with the ids that stand for defaults.
func (c *Config) tokenTable() (map[string]any, error) {
	text, err := c.Marshal()
	if err != nil {
		return nil, err
	}
	table, err := decoded(text)
	if err != nil {
		return nil, err
	}
	words, ok := table["text_config"].(map[string]any)
	if !c.Towers() {
		words, ok = table, true
	}
	if ok {
		kind, _ := words["model_type"].(string)
		for key, value := range textFamilies[kind].defaults {
			if _, said := words[key]; !said && isTokenKey(key) { // null says that there is none
				words[key] = value
			}
		}
	}
	return table, nil
}

// decoded is a JSON object with its numbers as they were written.
func decoded(text []byte) (table map[string]any, err error) {
	if text == nil {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return table, d.Decode(&table)
}

// isTokenKey tells whether a key holds ids of the language model's vocabulary.
func isTokenKey(key string) bool {
	return strings.HasSuffix(key, "_token_id") || key == "image_token_index"
}

// renumber changes the ids in a table and in the language model's; null stands for one that is gone.
func renumber(table map[string]any, to func(int) (int, bool)) {
	one := func(value any) any {
		var id int
		if _, err := fmt.Sscan(fmt.Sprint(value), &id); err != nil {
			return value // null
		}
		if n, ok := to(id); ok {
			return n
		}
		return nil
	}
	for key, value := range table {
		list, several := value.([]any)
		inner, nested := value.(map[string]any)
		switch {
		case key == "text_config" && nested:
			renumber(inner, to)
		case !isTokenKey(key):
		case several:
			var ids []any
			for _, id := range list {
				if n := one(id); n != nil {
					ids = append(ids, n)
				}
			}
			table[key] = ids
		default:
			table[key] = one(value)
		}
	}
}
