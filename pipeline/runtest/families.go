// Package runtest has the small runs and networks that tests of whole runs share.
package runtest

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/pipeline/chain"
	"espalier/pipeline/data"
	"espalier/torch"
)

// languages are small text_configs of every kind of language model, each with something of its own.
var languages = map[string]string{
	"opt":   `{"model_type": "opt", "hidden_size": 32, "ffn_dim": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 60, "vocab_size": %d, "pad_token_id": 0, "eos_token_id": 1}`,
	"t5":    `{"model_type": "t5", "d_model": 32, "d_kv": 6, "d_ff": 48, "num_layers": 2, "num_decoder_layers": 3, "num_heads": 4, "feed_forward_proj": "gated-gelu", "vocab_size": %d}`,
	"llama": `{"model_type": "llama", "hidden_size": 32, "head_dim": 6, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 8, "num_key_value_heads": 2, "vocab_size": %d, "pad_token_id": 0, "eos_token_id": 1}`,
}

// Families are the kinds of networks, each with its kind of language model.
var Families = [][2]string{{"blip-2", "opt"}, {"blip-2", "t5"}, {"blip-2", "llama"}, {"instructblip", "t5"}, {"instructblip", "llama"}}

// An Edit changes the text_config of a small network.
type Edit func(text string) string

// NetworkConfig is the config.json of a small network of a family; read is how many words its Q-Former knows.
func NetworkConfig(t testing.TB, kind, language string, vocabulary, read int, edits ...Edit) []byte {
	t.Helper()
	text := fmt.Sprintf(languages[language], vocabulary)
	for _, edit := range edits {
		text = edit(text)
	}
	require.True(t, json.Valid([]byte(text)))
	return fmt.Appendf(nil, `{"model_type": %q, "num_query_tokens": 4,
		"vision_config": {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 48, "patch_size": 12},
		"qformer_config": {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 4, "num_attention_heads": 4, "encoder_hidden_size": 32,
			"vocab_size": %d, "max_position_embeddings": 16},
		"text_config": %s}`, kind, read, text)
}

// Network draws a small network of a family.
func Network(t testing.TB, kind, language string, vocabulary int, edits ...Edit) *model.Blip2 {
	t.Helper()
	c, err := model.ParseConfig(NetworkConfig(t, kind, language, vocabulary, 85, edits...))
	require.NoError(t, err)
	m, err := model.New(c)
	require.NoError(t, err)
	t.Cleanup(m.Store().Free)
	require.NoError(t, m.Store().Init(5, torch.CPU))
	return m
}

// Teacher writes a network of a family with the vocabulary of "ads", LLaMA's in bfloat16, and gives its folder.
func Teacher(t testing.TB, kind, language string) string {
	t.Helper()
	var m model.Network = Network(t, kind, language, Ads(t).Tokenizer.Size())
	if language == "llama" {
		converted, err := model.Convert(m, torch.BFloat16, torch.CPU)
		require.NoError(t, err)
		m = converted
		m.Config().DType = "bfloat16"
		defer m.Store().Free()
	}
	return Save(t, m)
}

// Ads is the data set "ads" in one picture a split.
func Ads(t testing.TB) *data.Dataset {
	t.Helper()
	set, err := data.Open(data.Config{Source: "ads", Size: 48, Train: 1, Validation: 1, Test: 1, OOD: 1})
	require.NoError(t, err)
	return set
}

// Save writes a network as a teacher of "ads", with tokenizer and preprocessor, and gives its folder.
func Save(t testing.TB, m model.Network) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "teacher")
	require.NoError(t, m.Save(folder))
	require.NoError(t, model.AdsPreprocessor(48).Save(folder))
	require.NoError(t, Ads(t).Tokenizer.SaveTo(folder))
	return folder
}

// KeptAt is the folder of a step's result within a run.
func KeptAt(t testing.TB, run, at string) string {
	t.Helper()
	all, err := chain.List(run)
	require.NoError(t, err)
	for _, l := range all {
		if l.At == at {
			return l.Folder
		}
	}
	t.Fatalf("%s has no step %s", run, at)
	return ""
}
