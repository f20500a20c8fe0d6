package model

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// TextConfig describes the language model. Its keys are those of OPT; those of the other families are read and written
// under their own names (textFamilies).
type TextConfig struct {
	ModelType    string  `json:"model_type"` // "opt", "t5" or "llama"
	Vocabulary   int     `json:"vocab_size"`
	Hidden       int     `json:"hidden_size"`
	Intermediate int     `json:"ffn_dim"`
	Layers       int     `json:"num_hidden_layers"`
	Heads        int     `json:"num_attention_heads"`
	HeadSize     int     `json:"head_dim,omitempty"`
	Positions    int     `json:"max_position_embeddings,omitempty"`
	Activation   string  `json:"activation_function"`
	Eps          float64 `json:"layer_norm_eps,omitempty"`
	Pad          int     `json:"pad_token_id"` // -1: none
	BOS          int     `json:"bos_token_id"`
	EOS          int     `json:"eos_token_id"`
	Ends         []int   `json:"eos_token_ids,omitempty"` // all of eos_token_id, which may be a list; EOS is the first
	Tied         *bool   `json:"tie_word_embeddings,omitempty"`

	// OPT's.
	Embedding      int   `json:"word_embed_proj_dim,omitempty"`  // width of the token embeddings; hidden unless given
	PositionOffset *int  `json:"position_offset,omitempty"`      // rows of the table before position 0; OPT's are 2
	NormBefore     *bool `json:"do_layer_norm_before,omitempty"` // nil is true
	NoFinalNorm    bool  `json:"_remove_final_layer_norm,omitempty"`
	NoBias         bool  `json:"no_bias,omitempty"`

	// T5's.
	DecoderLayers int   `json:"num_decoder_layers,omitempty"`
	Buckets       int   `json:"relative_attention_num_buckets,omitempty"`
	MaxDistance   int   `json:"relative_attention_max_distance,omitempty"`
	Gated         bool  `json:"is_gated_act,omitempty"`
	Start         int   `json:"decoder_start_token_id,omitempty"`
	ScaleOutputs  *bool `json:"scale_decoder_outputs,omitempty"` // multiply by hidden^-½ before the output head

	// LLaMA's.
	KVHeads       int            `json:"num_key_value_heads,omitempty"`
	Rope          map[string]any `json:"rope_parameters,omitempty"` // or rope_theta and rope_scaling, as before transformers 5
	AttentionBias bool           `json:"attention_bias,omitempty"`
	MLPBias       bool           `json:"mlp_bias,omitempty"`
}

// textFamily is how a kind of language model writes its config.
type textFamily struct {
	names    map[string]string // its key → OPT's
	defaults map[string]any    // of transformers' config class, under its own keys
}

var textFamilies = map[string]textFamily{
	"opt": {defaults: map[string]any{"vocab_size": 50272, "hidden_size": 768, "num_hidden_layers": 12, "ffn_dim": 3072, "max_position_embeddings": 2048, "num_attention_heads": 12, "activation_function": "relu", "pad_token_id": 1, "bos_token_id": 2, "eos_token_id": 2, "tie_word_embeddings": true, "layer_norm_eps": 1e-5}},
	"t5": {
		names: map[string]string{"d_model": "hidden_size", "d_ff": "ffn_dim", "d_kv": "head_dim", "num_layers": "num_hidden_layers",
			"num_heads": "num_attention_heads", "layer_norm_epsilon": "layer_norm_eps", "dense_act_fn": "activation_function"},
		defaults: map[string]any{"vocab_size": 32128, "d_model": 512, "d_kv": 64, "d_ff": 2048, "num_layers": 6, "num_heads": 8, "relative_attention_num_buckets": 32, "relative_attention_max_distance": 128, "layer_norm_epsilon": 1e-6, "feed_forward_proj": "relu", "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0},
	},
	"llama": {
		names:    map[string]string{"intermediate_size": "ffn_dim", "rms_norm_eps": "layer_norm_eps", "hidden_act": "activation_function"},
		defaults: map[string]any{"vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32, "hidden_act": "silu", "max_position_embeddings": 2048, "rms_norm_eps": 1e-6, "bos_token_id": 1, "eos_token_id": 2, "tie_word_embeddings": false},
	},
}

// canonicalText completes a text_config with its family's defaults, under OPT's keys.
func canonicalText(table any) (map[string]any, error) {
	given, _ := table.(map[string]any)
	kind, ok := given["model_type"].(string)
	if !ok {
		return nil, fmt.Errorf("text_config.model_type is missing; it says which language model follows: %s", familyNames())
	}
	family, ok := textFamilies[kind]
	if !ok {
		return nil, fmt.Errorf("text_config.model_type %q: this program computes %s", kind, familyNames())
	}
	out := withDefaults(given, family.defaults)
	if kind == "t5" {
		completeT5(given, out)
	}
	for theirs, ours := range family.names {
		if v, ok := out[theirs]; ok {
			delete(out, theirs)
			out[ours] = v
		}
	}
	if kind == "llama" && out["rope_parameters"] == nil {
		out["rope_parameters"] = oldRope(given)
	}
	if kind == "opt" && given["enable_bias"] == false {
		out["no_bias"] = true
	}
	for _, key := range []string{"eos_token_id", "pad_token_id"} {
		withDefault(out, key, -1) // null: the config names none
	}
	for k, v := range out {
		if v == nil { // transformers writes null for "not set"
			delete(out, k)
		}
	}
	if ends, ok := out["eos_token_id"].([]any); ok && len(ends) > 0 {
		out["eos_token_id"], out["eos_token_ids"] = ends[0], ends
	}
	return out, nil
}

// completeT5 derives what T5's config class does.
func completeT5(given, out map[string]any) {
	if given["num_decoder_layers"] == nil {
		out["num_decoder_layers"] = out["num_layers"]
	}
	act, _ := out["feed_forward_proj"].(string)
	gated := strings.HasPrefix(act, "gated-")
	act = strings.TrimPrefix(act, "gated-")
	if gated && act == "gelu" {
		act = "gelu_new" // what the first gated checkpoints meant
	}
	withDefault(out, "is_gated_act", gated)
	withDefault(out, "dense_act_fn", act)
	if given["scale_decoder_outputs"] == nil { // older configs: only tied heads are scaled
		out["scale_decoder_outputs"] = given["tie_word_embeddings"] != false
	}
}

// oldRope is rope_parameters as configs before transformers 5 spread it.
func oldRope(given map[string]any) map[string]any {
	out := map[string]any{"rope_type": "default", "rope_theta": 10000.}
	if theta := given["rope_theta"]; theta != nil {
		out["rope_theta"] = theta
	}
	if scaling, ok := given["rope_scaling"].(map[string]any); ok {
		maps.Copy(out, scaling)
		if kind := scaling["type"]; kind != nil && scaling["rope_type"] == nil {
			out["rope_type"] = kind
		}
	}
	return out
}

// familyText is the reverse of canonicalText: OPT's keys become the family's own.
func familyText(table map[string]any) map[string]any {
	kind, _ := table["model_type"].(string)
	for theirs, ours := range textFamilies[kind].names {
		if v, ok := table[ours]; ok {
			delete(table, ours)
			table[theirs] = v
		}
	}
	delete(table, "no_bias")       // enable_bias says it
	delete(table, "eos_token_ids") // eos_token_id says it
	return table
}

func familyNames() string {
	var names []string
	for n := range textFamilies {
		names = append(names, fmt.Sprintf("%q", n))
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func (c *TextConfig) complete() {
	if c.KVHeads == 0 {
		c.KVHeads = c.Heads
	}
	if c.Embedding == 0 {
		c.Embedding = c.Hidden
	}
	if len(c.Ends) == 0 && c.EOS >= 0 {
		c.Ends = []int{c.EOS}
	}
}

// EncoderDecoder tells whether the question goes into an encoder of its own.
func (c *TextConfig) EncoderDecoder() bool { return c.ModelType == "t5" }

// Limit is the greatest number of positions of a sequence; 0 where any number will do.
func (c *TextConfig) Limit() int {
	if c.ModelType == "opt" {
		return c.Positions
	}
	return 0
}

// offset is where position 0 stands in OPT's table.
func (c *TextConfig) offset() int {
	if c.PositionOffset == nil {
		return optOffset
	}
	return *c.PositionOffset
}

func (c *TextConfig) normBefore() bool { return c.NormBefore == nil || *c.NormBefore }

// tied tells whether the token embeddings are the output head as well.
func (c *TextConfig) tied() bool { return c.Tied == nil || *c.Tied }

func (c *TextConfig) check(fault func(format string, args ...any)) {
	switch c.ModelType {
	case "opt":
		if c.Positions < 1 {
			fault("text_config.max_position_embeddings is %d, at least 1 is needed", c.Positions)
		}
	case "t5":
		if c.Buckets < 4 || c.MaxDistance <= c.Buckets/2 || c.DecoderLayers < 1 {
			fault("text_config: relative_attention_num_buckets %d, relative_attention_max_distance %d and num_decoder_layers %d describe no T5",
				c.Buckets, c.MaxDistance, c.DecoderLayers)
		}
	case "llama":
		if c.KVHeads < 1 || c.Heads%c.KVHeads != 0 {
			fault("text_config.num_key_value_heads %d does not divide num_attention_heads %d", c.KVHeads, c.Heads)
		}
		if _, err := newRope(c); err != nil {
			fault("text_config.%v", err)
		}
	}
}
