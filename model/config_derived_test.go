package model_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
)

// What a config leaves out follows from other keys. A cut that changes these and not it has it written; without a cut it stays out.
func TestDerivedKeysOfACutNetwork(t *testing.T) {
	const around = `{"model_type": "blip-2", "num_query_tokens": 4,
		"vision_config": {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 24, "patch_size": 8},
		"qformer_config": {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4, "encoder_hidden_size": 32}, "text_config": `
	for text, cut := range map[string]map[string]func(*model.TextConfig){
		`{"model_type": "llama", "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}`: {
			"":         func(c *model.TextConfig) { c.Hidden, c.Heads, c.KVHeads = 24, 3, 3 },
			"head_dim": func(c *model.TextConfig) { c.Hidden = 16 },
		},
		`{"model_type": "t5", "vocab_size": 64, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 3, "num_heads": 4}`: {
			"":                   func(c *model.TextConfig) { c.Hidden, c.Heads = 16, 2 },
			"num_decoder_layers": func(c *model.TextConfig) { c.Layers = 2 },
		},
	} {
		for key, change := range cut {
			c, err := model.ParseConfig([]byte(around + text + "}"))
			require.NoError(t, err)
			change(&c.Text)
			written, err := c.Marshal()
			require.NoError(t, err)
			for _, derived := range []string{"head_dim", "num_decoder_layers"} {
				if derived != key {
					assert.NotContains(t, string(written), derived)
				}
			}
			again, err := model.ParseConfig(written)
			require.NoError(t, err)
			sizes := func(c model.TextConfig) [5]int {
				return [5]int{c.Hidden, c.Heads, c.HeadSize, c.Layers, c.DecoderLayers}
			}
			assert.Equal(t, sizes(c.Text), sizes(again.Text), key)
		}
	}
}
