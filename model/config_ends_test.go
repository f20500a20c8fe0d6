package model_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/torch"
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

// What transformers' generate would do otherwise with a decoder alone is told when its weights are opened.
func TestOtherRulesOfGeneration(t *testing.T) {
	for generation, want := range map[string]string{
		`{"repetition_penalty": 1.8, "min_new_tokens": 4, "top_k": 50}`:                      "min_new_tokens = 4, repetition_penalty = 1.8",
		`{"bad_words_ids": [[3]], "do_sample": true}`:                                        "bad_words_ids = [[3]], do_sample = true",
		`{"repetition_penalty": 1.0, "suppress_tokens": null, "num_beams": 1, "top_p": 0.9}`: "",
	} {
		c, err := model.ParseConfig([]byte(`{"model_type": "opt", "vocab_size": 30, "hidden_size": 8, "ffn_dim": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
			"max_position_embeddings": 12, "word_embed_proj_dim": 8}`))
		require.NoError(t, err)
		made, err := model.New(c)
		require.NoError(t, err)
		require.NoError(t, made.Store().Init(1, torch.CPU))
		folder := t.TempDir()
		require.NoError(t, made.Save(folder))
		made.Store().Free()
		require.NoError(t, os.WriteFile(filepath.Join(folder, "generation_config.json"), []byte(generation), 0o600))
		m, err := model.Load(folder, torch.CPU)
		require.NoError(t, err)
		if want == "" {
			assert.Empty(t, m.Notes())
		} else {
			require.Len(t, m.Notes(), 1)
			assert.Contains(t, m.Notes()[0], "generation_config.json asks for "+want+"; answers here are greedy")
		}
		m.Store().Free()
	}
}
