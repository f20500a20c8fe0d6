// Package names knows how other programs call the tensors of the networks in package model.
package names

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"espalier/torch/checkpoint"
	"espalier/torch/textfile"
)

//go:embed blip2.toml
var blip2 string

// variants fill in blip2.toml; decoder is where the one of a language model's folder stands. Sources: LAVIS 1.0.2 (lavis/models/eva_vit.py, blip2_models/) and MiniGPT-4's
// minigpt4/models; what the parts are in transformers is said by its convert_*_original_to_pytorch.py.
var variants = map[string]struct{ model, proj, norm, decoder string }{
	"lavis-opt":             {"opt_model", "opt_proj", "qformer.layernorm", "language_model.model.decoder"},
	"lavis-t5":              {"t5_model", "t5_proj", "qformer.layernorm", "language_model.decoder"},
	"lavis-instruct-t5":     {"t5_model", "t5_proj", "qformer.embeddings.layernorm", "language_model.decoder"},
	"lavis-instruct-vicuna": {"llm_model", "llm_proj", "qformer.embeddings.layernorm", "language_model.decoder"},
	"minigpt4":              {"llama_model", "llama_proj", "qformer.layernorm", "language_model.decoder"},
}

// Known lists the maps that are built in.
func Known() []string { return slices.Sorted(maps.Keys(variants)) }

// Open gives the map of that name, or else the one in the TOML file of that path; see [checkpoint.ParseNames].
func Open(name string) (*checkpoint.NameMap, error) {
	text := ""
	if v, ok := variants[name]; ok {
		text = strings.NewReplacer("{model}", v.model, "{proj}", v.proj, "{norm}", v.norm, "{decoder}", v.decoder).Replace(blip2)
	} else {
		data, err := textfile.Read(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("names: %q is no file, nor one of %s", name, strings.Join(Known(), ", "))
		}
		if err != nil {
			return nil, fmt.Errorf("names: %w", err)
		}
		text = string(data)
	}
	m, err := checkpoint.ParseNames(text)
	if err != nil {
		return nil, fmt.Errorf("names: %s: %w", name, err)
	}
	return m, nil
}
