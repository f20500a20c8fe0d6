// Package model is the networks: visual encoder, Q-Former, projection and language model in the form and with the
// names of BLIP-2; generation; loading and saving.
package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"espalier/torch/nn"
)

// Config is a checkpoint's config.json in the form of transformers' Blip2Config and InstructBlipConfig. Keys that are
// not read here are kept when the config is written again.
type Config struct {
	ModelType  string        `json:"model_type"` // "blip-2" or "instructblip"; of a decoder alone the language model's
	Vision     VisionConfig  `json:"vision_config"`
	QFormer    QFormerConfig `json:"qformer_config"`
	Text       TextConfig    `json:"text_config"`
	Queries    int           `json:"num_query_tokens"`
	ImageToken *int          `json:"image_token_index"` // the id that stands for a query in HF's input_ids; nil where there is none
	DType      string        `json:"dtype,omitempty"`
	// Classes are transformers' for this kind of network, by which it and other programs (vLLM among them) know a checkpoint. A decoder alone has
	// them among the keys of its language model.
	Classes []string `json:"architectures,omitempty"`
	// Int8 tells that the checkpoint's weights are int8 with a scale for each row.
	Int8 bool `json:"-"`
	// Structure is there when the network was pruned to sizes that the other keys cannot express; those are then the
	// original's.
	Structure *nn.Structure `json:"-"`
	// Prompt is what the network's questions were framed with, as "Question: {question} Answer:"; "" says nothing.
	Prompt string `json:"-"`
	// Tokens are the ids that the tokens had before cuts of the vocabulary; nil where none was cut since the network was read.
	Tokens []int `json:"-"`

	raw    map[string]any // as it was read
	parsed map[string]any // what this program made of it: keys that have not changed are written as they were read

	generation []byte // generation_config.json, for other programs and for the ends of a decoder alone
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
	QKVBias      bool    `json:"qkv_bias"`
}

// QFormerConfig describes the Q-Former, post-norm layers of which every CrossEvery-th has cross-attention. InstructBLIP's
// also reads the question: Vocabulary and Positions are those of that text.
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
	Vocabulary   int     `json:"vocab_size,omitempty"`
	Positions    int     `json:"max_position_embeddings,omitempty"`
}

// Instruct tells whether the Q-Former reads the question beside the picture.
func (c *Config) Instruct() bool { return c.ModelType == instructBlip }

// Family names the kind of network, as "BLIP-2 with OPT".
func (c *Config) Family() string {
	language := strings.ToUpper(c.Text.ModelType)
	switch {
	case !c.Towers():
		return language
	case c.Instruct():
		return "InstructBLIP with " + language
	}
	return "BLIP-2 with " + language
}

// Class is transformers' class for the network.
func (c *Config) Class() string {
	switch {
	case !c.Towers():
		return alone[c.ModelType]
	case c.Instruct():
		return "InstructBlipForConditionalGeneration"
	}
	return "Blip2ForConditionalGeneration"
}

// Form says how the network takes its questions.
func (c *Config) Form() Form {
	return Form{Instruct: c.Instruct(), EncoderDecoder: c.Text.EncoderDecoder(), Start: c.Text.Start}
}

const (
	blip2        = "blip-2"
	instructBlip = "instructblip"
)

// The defaults of transformers' config classes, which its files may leave out.
var (
	visionDefaults  = map[string]any{"hidden_size": 1408, "intermediate_size": 6144, "num_hidden_layers": 39, "num_attention_heads": 16, "image_size": 224, "patch_size": 14, "hidden_act": "gelu", "layer_norm_eps": 1e-6, "qkv_bias": true}
	qformerDefaults = map[string]any{"vocab_size": 30522, "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12, "hidden_act": "gelu", "max_position_embeddings": 512, "layer_norm_eps": 1e-12, "cross_attention_frequency": 2, "encoder_hidden_size": 1408}
)

// ParseConfig reads a config.json and checks that this program computes what it describes.
func ParseConfig(data []byte) (*Config, error) {
	if err := checkJSON(data); err != nil {
		return nil, err
	}
	c := &Config{}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber() // 1.0 must not come out as 1: transformers refuses it
	if err := d.Decode(&c.raw); err != nil {
		return nil, jsonFault(data, err)
	}
	c.raw = nested(c.raw)
	full := maps.Clone(c.raw)
	if kind, _ := full["model_type"].(string); alone[kind] == "" {
		for key, defaults := range map[string]map[string]any{"vision_config": visionDefaults, "qformer_config": qformerDefaults} {
			full[key] = withDefaults(full[key], defaults)
		}
		withDefault(full, "num_query_tokens", 32)
		withDefault(full, "model_type", blip2)
	}
	text, err := canonicalText(full["text_config"])
	if err != nil {
		return nil, err
	}
	full["text_config"] = text
	complete, err := json.Marshal(full)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(complete, c); err != nil {
		return nil, jsonFault(complete, err)
	}
	if err := c.readOwn(complete); err != nil {
		return nil, err
	}
	c.complete()
	if c.parsed, err = c.table(); err != nil {
		return nil, err
	}
	return c, c.check()
}

// withDefaults copies a table of a config with the keys that it leaves out.
func withDefaults(table any, defaults map[string]any) map[string]any {
	given, _ := table.(map[string]any)
	out := maps.Clone(defaults)
	maps.Copy(out, given)
	return out
}

func withDefault(table map[string]any, key string, value any) {
	if table[key] == nil {
		table[key] = value
	}
}

// complete fills in what follows from other keys.
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
	c.Text.complete()
}

// check collects all that this program would compute wrongly or not at all.
func (c *Config) check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if c.ModelType != blip2 && c.ModelType != instructBlip && c.Towers() {
		fault("model_type %q: this program computes %q and %q, and without towers \"opt\" and \"llama\"", c.ModelType, blip2, instructBlip)
	}
	if c.QFormer.TextInput && !c.Instruct() {
		fault("qformer_config.use_qformer_text_input = true: BLIP-2's retrieval models are not computed, only those that answer")
	}
	for _, of := range []struct {
		key, activation string
		there           bool
	}{{"text_config", c.Text.Activation, true}, {"vision_config.hidden_act", c.Vision.Activation, c.Towers()}, {"qformer_config.hidden_act", c.QFormer.Activation, c.Towers()}} {
		if of.there && activations[of.activation] == nil {
			fault("%s: activation %q is not one of %s, and this program computes no other", of.key, of.activation, strings.Join(slices.Sorted(maps.Keys(activations)), ", "))
		}
	}
	if text, _ := c.raw["text_config"].(map[string]any); c.Text.ModelType == "opt" && text["layer_norm_elementwise_affine"] == false {
		fault("text_config.layer_norm_elementwise_affine = false: norms have weights here; set it to true, and give each norm a weight of ones and a bias of zeros")
	}
	if c.QFormer.Encoder != c.Vision.Hidden {
		fault("qformer_config.encoder_hidden_size %d is not vision_config.hidden_size %d", c.QFormer.Encoder, c.Vision.Hidden)
	}
	c.checkBounds(fault)
	if c.Vision.Image < c.Vision.Patch {
		fault("vision_config.image_size %d is less than patch_size %d", c.Vision.Image, c.Vision.Patch)
	}
	c.Text.check(fault)
	c.checkQuantized(fault)
	return errors.Join(faults...)
}

// WithDType is the config of weights in another dtype ("float32", "bfloat16", "float16"). transformers believes the config:
// one that says less than the weights hold would have them rounded.
func (c *Config) WithDType(name string) *Config {
	out := *c
	correct := func(table map[string]any) map[string]any {
		table = maps.Clone(table)
		for _, key := range []string{"dtype", "torch_dtype"} { // transformers' key from 5 on, and before
			if _, said := table[key].(string); said {
				table[key] = name
			}
		}
		return table
	}
	out.raw, out.parsed = correct(c.raw), correct(c.parsed)
	for key, value := range out.raw {
		if table, ok := value.(map[string]any); ok {
			out.raw[key] = correct(table)
		}
	}
	if out.DType != "" {
		out.DType = name
	}
	return &out
}

// Marshal writes the config: keys that were not understood, or have not changed, as they were read.
func (c *Config) Marshal() ([]byte, error) {
	out, err := c.table()
	if err != nil {
		return nil, err
	}
	restore(out, c.raw, c.parsed)
	c.tellDerived(out)
	out = flat(out)
	c.tellInt8(out)
	return json.MarshalIndent(out, "", "  ")
}

// table is the config under the keys of its family.
func (c *Config) table() (map[string]any, error) {
	file := struct {
		*Config
		Own *own `json:"espalier,omitempty"`
	}{c, c.own()}
	known, err := json.Marshal(file)
	if err != nil {
		return nil, err
	}
	var out map[string]any
	if err := json.Unmarshal(known, &out); err != nil {
		return nil, err
	}
	if text, ok := out["text_config"].(map[string]any); ok {
		out["text_config"] = familyText(text)
	}
	return out, nil
}

// restore writes into a table what was read, where it says the same as then, and adds what was not understood.
func restore(table, raw, parsed map[string]any) {
	for key, value := range table {
		was, known := parsed[key]
		read, present := raw[key]
		now, nested := value.(map[string]any)
		if nested && present && key != ownKey {
			before, _ := was.(map[string]any)
			original, _ := read.(map[string]any)
			restore(now, original, before)
			continue
		}
		if known && key != ownKey && reflect.DeepEqual(was, value) {
			if present {
				table[key] = read
			} else {
				delete(table, key)
			}
		}
	}
	for key, value := range raw {
		if _, ok := table[key]; !ok && key != ownKey {
			table[key] = value
		}
	}
}
