package model

import (
	"encoding/json"

	"espalier/torch/nn"
)

// ownKey is this program's key in a config.json; other programs pass over it.
const ownKey = "espalier"

// own is what stands under it.
type own struct {
	*nn.Structure
	Prompt string `json:"prompt,omitempty"`
}

// readOwn takes this program's key out of a config.json.
func (c *Config) readOwn(data []byte) error {
	var file struct {
		Own own `json:"espalier"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return jsonFault(data, err)
	}
	c.Structure, c.Prompt = file.Own.Structure, file.Own.Prompt
	return nil
}

// own is nil where there is nothing to say.
func (c *Config) own() *own {
	if c.Structure == nil && c.Prompt == "" {
		return nil
	}
	return &own{c.Structure, c.Prompt}
}
