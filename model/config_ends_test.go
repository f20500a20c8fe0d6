package model_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
)

func withGeneration(t *testing.T, config, generation string) (*model.Config, error) {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "config.json"), []byte(config), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "generation_config.json"), []byte(generation), 0o600))
	return model.LoadConfig(folder)
}

// A decoder alone ends by generation_config.json where that names an end, as with transformers; a network with towers by its config.
func TestEndsOfGeneration(t *testing.T) {
	const decoder = `{"model_type": "llama", "bos_token_id": 0, "eos_token_id": 1}`
	for generation, want := range map[string][]int{
		`{"bos_token_id": 1, "eos_token_id": 2}`: {2}, `{"eos_token_id": [2, 7]}`: {2, 7}, `{"eos_token_id": null}`: {1}, `{"eos_token_id": []}`: {1}, `{}`: {1},
	} {
		c, err := withGeneration(t, decoder, generation)
		require.NoError(t, err)
		assert.Equal(t, want, c.Ends(), generation)
		again, err := c.Marshal()
		require.NoError(t, err)
		assert.JSONEq(t, decoder, string(again), "what is written is what was read")
		c, err = withGeneration(t, `{"text_config": `+decoder+`}`, generation)
		require.NoError(t, err)
		assert.Equal(t, []int{1}, c.Ends(), generation)
	}
	c, err := withGeneration(t, decoder, `{"eos_token_id": [9, 7]}`)
	require.NoError(t, err)
	require.NoError(t, c.KeepTokens([]int{1, 7, 9}))
	assert.Equal(t, []int{2, 1}, c.Ends(), "in ids of the cut vocabulary")

	for _, wrong := range []string{`{"eos_token_id": "</s>"}`, `{"eos_token_id": [2, null]}`, `{"eos_token_id": 1.5}`, `{"eos_token_id": 2`} {
		_, err := withGeneration(t, decoder, wrong)
		require.Error(t, err, wrong)
		assert.ErrorContains(t, err, "generation_config.json: ")
		_, err = withGeneration(t, `{"text_config": `+decoder+`}`, wrong)
		assert.NoError(t, err, "other programs' affair")
	}
}
