// Package model is the networks: visual encoder, Q-Former, projection and language model in the form and with the
// names of BLIP-2; generation; loading and saving.
package model

import (
	"encoding/json"
	"errors"
	"fmt"

	"espalier/torch/nn"
)

// Config is a checkpoint's config.json in the form of transformers' Blip2Config. Keys that are not read here are kept
// when the config is written again.
type Config struct {
	ModelType  string        `json:"model_type"`
	Vision     VisionConfig  `json:"vision_config"`
	QFormer    QFormerConfig `json:"qformer_config"`
	Text       TextConfig    `json:"text_config"`
	Queries    int           `json:"num_query_tokens"`
	ImageToken int           `json:"image_token_index"`
	// Structure is there when the network was pruned; the other numbers are then those of the original.
	Structure *nn.Structure `json:"espalier,omitempty"`

	raw map[string]any
}

// VisionConfig describes the visual encoder, a pre-norm ViT.
type VisionConfig struct {
	Hidden       int     `json:"hidden_size"`
	Intermediate int     `json:"intermediate_size"`
	Layers       int     `json:"num_hidden_layers"`
	Heads        int     `json:"num_attention_heads"`
	HeadSize     int     `json:"head_dim,omitempty"` // hidden / heads unless given
	Image        int     `json:"image_size"`
	Patch        int     `json:"patch_size"`
	Activation   string  `json:"hidden_act"`
	Eps          float64 `json:"layer_norm_eps"`
}

// QFormerConfig describes the Q-Former, post-norm layers of which every CrossEvery-th has cross-attention.
type QFormerConfig struct {
	Hidden       int     `json:"hidden_size"`
	Intermediate int     `json:"intermediate_size"`
	Layers       int     `json:"num_hidden_layers"`
	Heads        int     `json:"num_attention_heads"`
	HeadSize     int     `json:"head_dim,omitempty"`
	Encoder      int     `json:"encoder_hidden_size"`
	CrossEvery   int     `json:"cross_attention_frequency"`
	Activation   string  `json:"hidden_act"`
	Eps          float64 `json:"layer_norm_eps"`
	TextInput    bool    `json:"use_qformer_text_input"`
}

// TextConfig describes an OPT language model.
type TextConfig struct {
	ModelType      string  `json:"model_type"`
	Vocabulary     int     `json:"vocab_size"`
	Hidden         int     `json:"hidden_size"`
	Embedding      int     `json:"word_embed_proj_dim,omitempty"`
	Intermediate   int     `json:"ffn_dim"`
	Layers         int     `json:"num_hidden_layers"`
	Heads          int     `json:"num_attention_heads"`
	HeadSize       int     `json:"head_dim,omitempty"`
	Positions      int     `json:"max_position_embeddings"`
	PositionOffset *int    `json:"position_offset,omitempty"` // rows of the table before position 0; OPT's are 2
	Activation     string  `json:"activation_function"`
	Eps            float64 `json:"layer_norm_eps,omitempty"` // OPT's is 1e-5
	NormBefore     *bool   `json:"do_layer_norm_before,omitempty"`
	Pad            int     `json:"pad_token_id"`
	BOS            int     `json:"bos_token_id"`
	EOS            int     `json:"eos_token_id"`
	Tied           *bool   `json:"tie_word_embeddings,omitempty"`
}

func (c TextConfig) offset() int {
	if c.PositionOffset == nil {
		return 2
	}
	return *c.PositionOffset
}

// ParseConfig reads a config.json and checks that this program computes what it describes.
func ParseConfig(data []byte) (*Config, error) {
	c := &Config{}
	if err := json.Unmarshal(data, c); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &c.raw); err != nil {
		return nil, err
	}
	c.complete()
	return c, c.check()
}

// complete fills in what transformers leaves at its defaults.
func (c *Config) complete() {
	size := func(given, hidden, heads int) int {
		if given != 0 || heads == 0 {
			return given
		}
		return hidden / heads
	}
	c.Vision.HeadSize = size(c.Vision.HeadSize, c.Vision.Hidden, c.Vision.Heads)
	c.QFormer.HeadSize = size(c.QFormer.HeadSize, c.QFormer.Hidden, c.QFormer.Heads)
	c.Text.HeadSize = size(c.Text.HeadSize, c.Text.Hidden, c.Text.Heads)
	if c.Text.Eps == 0 {
		c.Text.Eps = 1e-5
	}
	if c.QFormer.CrossEvery == 0 {
		c.QFormer.CrossEvery = 2
	}
	for _, a := range []*string{&c.Vision.Activation, &c.QFormer.Activation} {
		if *a == "" {
			*a = "gelu"
		}
	}
	if c.Text.Activation == "" {
		c.Text.Activation = "relu"
	}
}

func (c *Config) check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if c.Text.ModelType != "opt" {
		fault("text_config.model_type %q: this program computes \"opt\"", c.Text.ModelType)
	}
	if c.Text.NormBefore != nil && !*c.Text.NormBefore {
		fault("text_config.do_layer_norm_before = false: only the form with norms before each part is computed")
	}
	if c.Text.Embedding != 0 && c.Text.Embedding != c.Text.Hidden {
		fault("text_config.word_embed_proj_dim %d differs from hidden_size %d: projections in and out are not computed",
			c.Text.Embedding, c.Text.Hidden)
	}
	if c.Text.Tied != nil && !*c.Text.Tied {
		fault("text_config.tie_word_embeddings = false: only a tied output head is computed")
	}
	if c.QFormer.TextInput {
		fault("qformer_config.use_qformer_text_input = true: a Q-Former with text input is not computed")
	}
	for _, a := range []string{c.Vision.Activation, c.QFormer.Activation, c.Text.Activation} {
		if activations[a] == nil {
			fault("activation %q is not one of gelu, gelu_new, gelu_pytorch_tanh, relu, silu", a)
		}
	}
	for _, n := range []struct {
		key   string
		value int
	}{
		{"vision_config.hidden_size", c.Vision.Hidden}, {"vision_config.num_hidden_layers", c.Vision.Layers},
		{"vision_config.head size", c.Vision.HeadSize}, {"vision_config.patch_size", c.Vision.Patch},
		{"vision_config.intermediate_size", c.Vision.Intermediate}, {"vision_config.image_size", c.Vision.Image},
		{"qformer_config.hidden_size", c.QFormer.Hidden}, {"qformer_config.num_hidden_layers", c.QFormer.Layers},
		{"qformer_config.head size", c.QFormer.HeadSize}, {"qformer_config.intermediate_size", c.QFormer.Intermediate},
		{"text_config.hidden_size", c.Text.Hidden}, {"text_config.num_hidden_layers", c.Text.Layers},
		{"text_config.head size", c.Text.HeadSize}, {"text_config.ffn_dim", c.Text.Intermediate},
		{"text_config.vocab_size", c.Text.Vocabulary}, {"text_config.max_position_embeddings", c.Text.Positions},
		{"num_query_tokens", c.Queries},
	} {
		if n.value < 1 {
			fault("%s is %d, at least 1 is needed", n.key, n.value)
		}
	}
	if c.Vision.Patch > 0 && c.Vision.Image%c.Vision.Patch != 0 {
		fault("vision_config.image_size %d is no multiple of patch_size %d", c.Vision.Image, c.Vision.Patch)
	}
	return errors.Join(faults...)
}

// Marshal writes the config with the keys that were read and not understood.
func (c *Config) Marshal() ([]byte, error) {
	known, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	var out map[string]any
	if err := json.Unmarshal(known, &out); err != nil {
		return nil, err
	}
	merge(out, c.raw)
	return json.MarshalIndent(out, "", "  ")
}

// merge adds what only from has, also within nested tables.
func merge(to, from map[string]any) {
	for k, v := range from {
		have, ok := to[k]
		if !ok {
			if k != "espalier" {
				to[k] = v
			}
			continue
		}
		a, aok := have.(map[string]any)
		b, bok := v.(map[string]any)
		if aok && bok && k != "espalier" {
			merge(a, b)
		}
	}
}
