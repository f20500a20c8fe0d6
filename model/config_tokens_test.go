package model_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
)

// Every id of config.json and generation_config.json follows a cut of the vocabulary, also one that the file leaves to its
// family's default; one whose token is gone is left out. What is no id of the language model's stays.
func TestKeepTokensRenumbersTheConfig(t *testing.T) {
	const vision = `"vision_config": {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 8, "patch_size": 4},
		"qformer_config": {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "encoder_hidden_size": 8, "pad_token_id": 0},`
	for name, c := range map[string]struct {
		text, generation, config, cut string
		ids                           []int
	}{
		"opt": {`{"model_type": "opt", "hidden_size": 8, "ffn_dim": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 20, "bos_token_id": null}`,
			`{"eos_token_id": [2, 7], "pad_token_id": 1, "temperature": 1.0}`,
			`{"model_type": "opt", "hidden_size": 8, "ffn_dim": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 20, "bos_token_id": null, "eos_token_id": 1, "pad_token_id": 0}`,
			`{"eos_token_id": [1, 2], "pad_token_id": 0, "temperature": 1.0}`, []int{1, 2, 7, 15}},
		"t5": {`{"model_type": "t5", "d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2, "vocab_size": 20, "decoder_start_token_id": 7}`,
			`{"decoder_start_token_id": 7}`,
			`{"model_type": "t5", "d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2, "vocab_size": 20, "decoder_start_token_id": 2, "eos_token_id": 0, "pad_token_id": null}`,
			`{"decoder_start_token_id": 2}`, []int{0, 1, 7, 15}},
		"llama": {`{"model_type": "llama", "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 20, "eos_token_id": [2, 7, 9]}`,
			`{}`,
			`{"model_type": "llama", "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 20, "bos_token_id": 0, "eos_token_id": [1, 2]}`,
			`{}`, []int{1, 2, 7, 9, 15}},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			config := `{"model_type": "blip-2", "image_token_index": 15, "num_query_tokens": 3, ` + vision + `"text_config": ` + c.text + `}`
			require.NoError(t, os.WriteFile(filepath.Join(folder, "config.json"), []byte(config), 0o644))
			require.NoError(t, os.WriteFile(filepath.Join(folder, "generation_config.json"), []byte(c.generation), 0o644))
			read, err := model.LoadConfig(folder)
			require.NoError(t, err)
			assert.Equal(t, c.ids, read.TokenIDs())
			kept := []int{1, 2, 7, 15, 18}
			require.NoError(t, read.KeepTokens(kept))
			assert.Equal(t, kept, read.Tokens)
			assert.Equal(t, 3, *read.ImageToken)
			text, err := read.Marshal()
			require.NoError(t, err)
			var got struct {
				Image   int             `json:"image_token_index"`
				Text    json.RawMessage `json:"text_config"`
				QFormer struct {
					Pad *int `json:"pad_token_id"`
				} `json:"qformer_config"`
			}
			require.NoError(t, json.Unmarshal(text, &got))
			assert.JSONEq(t, c.config, string(got.Text))
			assert.Equal(t, 3, got.Image)
			assert.Equal(t, 0, *got.QFormer.Pad, "the Q-Former has a vocabulary of its own")
			require.NoError(t, read.KeepTokens([]int{1, 3, 4}))
			assert.Equal(t, []int{2, 15, 18}, read.Tokens, "of the vocabulary at the beginning")
		})
	}
}
