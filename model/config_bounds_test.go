package model

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/torch/nn"
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

func TestConfigText(t *testing.T) {
	within := func(depth int) error {
		_, err := ParseConfig([]byte(`{"text_config": {"model_type": "opt"}, "a \"[[": ` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + `}`))
		return err
	}
	assert.NoError(t, within(mostDepth-1))
	assert.ErrorContains(t, within(mostDepth), "lists and objects lie 65 deep in each other, at most 64 are read")
	_, err := ParseConfig([]byte(`{"text_config": {"model_type": "opt"}, "a": "` + strings.Repeat("[", mostBytes) + `"}`))
	assert.ErrorContains(t, err, "bytes, at most 16777216 are read")
}

// A structure states sizes too: those of a network that was cut, so none can be beyond the sizes that the other keys state.
func TestStructureBounds(t *testing.T) {
	var config map[string]any
	require.NoError(t, json.Unmarshal([]byte(`{"vision_config": {"num_hidden_layers": 1}, "qformer_config": {"num_hidden_layers": 1},
		"text_config": {"model_type": "opt", "num_hidden_layers": 1}}`), &config))
	whole := func() *Config {
		data, err := json.Marshal(config)
		require.NoError(t, err)
		c, err := ParseConfig(data)
		require.NoError(t, err)
		return c
	}
	m, err := New(whole())
	require.NoError(t, err)
	sound := m.Store().Structure()
	for axis, units := range sound.Axes {
		for _, n := range []int{units + 1, 1_000_000_000, 1<<63 - 1, 0, -1 << 63} {
			c := whole()
			s := sound
			s.Axes = maps.Clone(sound.Axes)
			s.Axes[axis], c.Structure = n, &s
			_, err := New(c)
			assert.ErrorContains(t, err, "axis "+axis+" has ", "%d", n)
		}
	}
	c := whole()
	c.Structure = &nn.Structure{Version: nn.StructureVersion}
	_, err = New(c)
	require.Error(t, err)
	assert.Less(t, strings.Count(err.Error(), "\n"), 30, "a screen at most")
}
