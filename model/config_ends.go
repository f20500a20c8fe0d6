package model

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// answerRules are keys of generation_config.json that change greedy answers of transformers, with the value that does not; null never does.
var answerRules = map[string]any{"repetition_penalty": 1., "encoder_repetition_penalty": 1., "no_repeat_ngram_size": 0., "min_length": 0., "min_new_tokens": 0.,
	"suppress_tokens": nil, "begin_suppress_tokens": nil, "bad_words_ids": nil, "sequence_bias": nil, "forced_bos_token_id": nil, "forced_eos_token_id": nil,
	"num_beams": 1., "do_sample": false}

// generationNote says what transformers' generate would do otherwise with a decoder alone, by its generation_config.json; "" is nothing. With towers
// transformers does not look at the file.
func (c *Config) generationNote() string {
	var file map[string]json.RawMessage
	if c.Towers() || json.Unmarshal(c.generation, &file) != nil {
		return ""
	}
	var asked []string
	for _, key := range slices.Sorted(maps.Keys(answerRules)) {
		var value any
		if json.Unmarshal(file[key], &value) == nil && value != nil && !reflect.DeepEqual(value, answerRules[key]) {
			asked = append(asked, fmt.Sprintf("%s = %.60s", key, file[key]))
		}
	}
	if asked == nil {
		return ""
	}
	return fmt.Sprintf("%s asks for %s; answers here are greedy and without it, and transformers' generate may answer otherwise", generationName, strings.Join(asked, ", "))
}

// Ends are the ids that end an answer: eos_token_id of config.json. A decoder alone ends as with transformers' generate, by
// generation_config.json where that names any: Vicuna's two files do not agree.
func (c *Config) Ends() []int {
	if ends, err := c.generationEnds(); err == nil && len(ends) > 0 {
		return ends
	}
	return c.Text.Ends
}

// generationEnds is eos_token_id of a decoder's generation_config.json, a number or a list; nil where it names none.
func (c *Config) generationEnds() ([]int, error) {
	if c.Towers() || c.generation == nil {
		return nil, nil
	}
	var file struct {
		Ends any `json:"eos_token_id"`
	}
	if err := json.Unmarshal(c.generation, &file); err != nil {
		return nil, jsonFault(c.generation, err)
	}
	list, several := file.Ends.([]any)
	if !several && file.Ends != nil {
		list = []any{file.Ends}
	}
	var ends []int
	for _, one := range list {
		id, ok := one.(float64)
		if !ok || id != float64(int(id)) {
			return nil, fmt.Errorf("eos_token_id is %.60v; write a number or a list of numbers, or null for those of config.json", file.Ends)
		}
		ends = append(ends, int(id))
	}
	return ends, nil
}
