package model

import (
	"encoding/json"
	"fmt"
)

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
