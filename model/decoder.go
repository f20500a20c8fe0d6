package model

import (
	"encoding/json"
	"maps"
	"strings"

	"espalier/torch"
)

// A decoder alone is a network without vision tower and Q-Former, as transformers' OPTForCausalLM and LlamaForCausalLM. In its
// config.json the keys of text_config stand at the top, and its tensors have no prefix.

// languagePrefix stands before the names of the language model's tensors where there are towers before it.
const languagePrefix = "language_model."

// alone are the language models that are computed without towers.
var alone = map[string]string{"opt": "OPTForCausalLM", "llama": "LlamaForCausalLM"}

// Towers tells whether a vision tower and a Q-Former stand before the language model. Without them a network sees no pictures.
func (c *Config) Towers() bool { return alone[c.ModelType] == "" }

// DecoderConfig is the config.json of a decoder alone with these keys of transformers'.
func DecoderConfig(keys map[string]any) (*Config, error) {
	keys = maps.Clone(keys)
	kind, _ := keys["model_type"].(string)
	keys["architectures"] = []string{alone[kind]}
	text, err := json.Marshal(keys)
	if err != nil {
		return nil, err
	}
	return ParseConfig(text)
}

// nested brings the config of a decoder alone into the form of the others, whose language model has a table of its own.
func nested(table map[string]any) map[string]any {
	kind, _ := table["model_type"].(string)
	if alone[kind] == "" {
		return table
	}
	text := maps.Clone(table)
	out := map[string]any{"model_type": kind, "text_config": text}
	if own, said := table[ownKey]; said {
		out[ownKey] = own
		delete(text, ownKey)
	}
	return out
}

// flat is the reverse of nested.
func flat(table map[string]any) map[string]any {
	kind, _ := table["model_type"].(string)
	text, ok := table["text_config"].(map[string]any)
	if alone[kind] == "" || !ok {
		return table
	}
	if own, said := table[ownKey]; said {
		text[ownKey] = own
	}
	return text
}

// textName is the name of a tensor of the language model, which is given as networks with towers have it.
func (c *Config) textName(name string) string {
	if c.Towers() {
		return name
	}
	return strings.TrimPrefix(name, languagePrefix)
}

// NoPictures stands for the pictures of so many rows in a batch of a decoder alone.
func NoPictures(rows int, on torch.Device) *torch.Tensor {
	return torch.Zeros([]int{rows, 0}, torch.Float32, on)
}
