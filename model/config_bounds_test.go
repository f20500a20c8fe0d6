package model

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A damaged or hostile config.json is refused before anything of its size is made.
func TestConfigBounds(t *testing.T) {
	keys := map[string][]string{
		"vision_config":  {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "image_size", "patch_size", "head_dim"},
		"qformer_config": {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings", "vocab_size"},
		"text_config":    {"hidden_size", "ffn_dim", "num_hidden_layers", "num_attention_heads", "vocab_size", "max_position_embeddings", "word_embed_proj_dim"},
	}
	parse := func(section, key string, value any) error {
		table := map[string]any{"text_config": map[string]any{"model_type": "opt"}}
		if section != "" {
			given, _ := table[section].(map[string]any)
			if given == nil {
				given = map[string]any{}
			}
			given[key], table[section] = value, given
		}
		data, err := json.Marshal(table)
		require.NoError(t, err)
		_, err = ParseConfig(data)
		return err
	}
	require.NoError(t, parse("", "", nil))
	for section, names := range keys {
		for _, key := range names {
			for _, value := range []int64{-1, -1 << 63, 1 << 33, 1<<63 - 1} {
				err := parse(section, key, value)
				assert.Error(t, err, "%s.%s = %d", section, key, value)
			}
		}
	}
	err := parse("text_config", "num_hidden_layers", 1_000_000)
	assert.ErrorContains(t, err, "the number of layers is 1000000, at most 4096 is computed")
}

// Sizes that are possible alone may be impossible together.
func TestConfigProducts(t *testing.T) {
	_, err := ParseConfig([]byte(`{"text_config": {"model_type": "opt", "hidden_size": 1000000, "ffn_dim": 1000000, "num_hidden_layers": 4000}}`))
	require.ErrorContains(t, err, "parameters, at most")
	assert.Equal(t, 1, strings.Count(err.Error(), "\n")+1)
}
