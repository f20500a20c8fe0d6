package model

import (
	"encoding/json"
	"fmt"
	"maps"
)

// WithQueries is the preprocessor of a network with so many query tokens: transformers puts as many places for the picture into a
// prompt as processor_config.json says.
func (p Preprocessor) WithQueries(n int) (Preprocessor, error) {
	const key = "num_query_tokens"
	var file map[string]json.RawMessage
	text, there := p.files[processorName]
	if !there {
		return p, nil
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return p, fmt.Errorf("model: %s: %w", processorName, jsonFault(text, err))
	}
	if was := string(file[key]); isNull(file[key]) || was == fmt.Sprint(n) {
		return p, nil // the file stays as it is, byte for byte
	}
	file[key] = json.RawMessage(fmt.Sprint(n))
	out, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return p, fmt.Errorf("model: %s: %w", processorName, err)
	}
	p.files = maps.Clone(p.files)
	p.files[processorName] = append(out, '\n')
	return p, nil
}
