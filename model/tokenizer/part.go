package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// maxParts and maxNesting bound what a hostile file can ask for; real ones have five parts and two levels.
const (
	maxParts   = 32
	maxNesting = 4
)

// isNull says that a field of the file is absent or null.
func isNull(data json.RawMessage) bool {
	return len(data) == 0 || string(bytes.TrimSpace(data)) == "null"
}

// strict reads a part of the file and refuses a field that it does not know: the field would change ids.
func strict(data json.RawMessage, into any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	return dec.Decode(into)
}

// part is what every part of a tokenizer.json shares.
type part struct {
	kind string // "normalizer", "pre_tokenizer", …: what errors call it
	Type string
	data json.RawMessage
}

func readPart(kind string, data json.RawMessage) (part, error) {
	var t typed
	if err := json.Unmarshal(data, &t); err != nil {
		return part{}, fmt.Errorf("%s cannot be read: %w; save the tokenizer again", kind, err)
	}
	if t.Type == "" {
		return part{}, fmt.Errorf("%s has no type; save the tokenizer again with a present-day `tokenizers`", kind)
	}
	return part{kind, t.Type, data}, nil
}

// read fills the fields of the part; into holds the defaults.
func (p part) read(into any) error {
	if err := strict(p.data, into); err != nil {
		return fmt.Errorf("%s %s: %w", p.kind, p.Type, err)
	}
	return nil
}

// unknown refuses a type by its name.
func (p part) unknown() error {
	return fmt.Errorf("%s type %q is not computed here; text would give other ids than in `tokenizers`", p.kind, p.Type)
}

// sequence reads the parts of a Sequence, which stand in the named field.
func (p part) sequence(field string, nesting int) ([]json.RawMessage, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(p.data, &all); err != nil {
		return nil, fmt.Errorf("%s Sequence: %w", p.kind, err)
	}
	var parts []json.RawMessage
	if err := json.Unmarshal(all[field], &parts); err != nil || len(all) != 2 {
		return nil, fmt.Errorf("%s Sequence must hold a list %q and nothing more; save the tokenizer again", p.kind, field)
	}
	if len(parts) > maxParts || nesting >= maxNesting {
		return nil, fmt.Errorf("%s Sequence has %d parts at depth %d, at most %d at depth %d are read; put the parts in one list",
			p.kind, len(parts), nesting, maxParts, maxNesting)
	}
	return parts, nil
}

// runeOf is the one rune of a field that holds a character.
func runeOf(p part, field, text string) (rune, error) {
	runes := []rune(text)
	if len(runes) != 1 {
		return 0, fmt.Errorf("%s %s: %s is %q, want one character", p.kind, p.Type, field, text)
	}
	return runes[0], nil
}
