package model

import (
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
)

// benchSizes are the default job's teacher, and a student of its size.
var benchSizes = []struct{ name, text string }{
	{"teacher", `{"model_type": "blip-2", "num_query_tokens": 16, "image_token_index": 127,
		"vision_config": {"hidden_size": 160, "intermediate_size": 640, "num_hidden_layers": 4, "num_attention_heads": 5, "image_size": 48, "patch_size": 8},
		"qformer_config": {"hidden_size": 128, "intermediate_size": 512, "num_hidden_layers": 4, "num_attention_heads": 4, "encoder_hidden_size": 160,
			"cross_attention_frequency": 2, "vocab_size": 40, "max_position_embeddings": 20},
		"text_config": {"model_type": "opt", "hidden_size": 128, "word_embed_proj_dim": 128, "ffn_dim": 512, "num_hidden_layers": 4,
			"num_attention_heads": 4, "max_position_embeddings": 40, "vocab_size": 127}}`},
	{"student", `{"model_type": "blip-2", "num_query_tokens": 16, "image_token_index": 127,
		"vision_config": {"hidden_size": 64, "intermediate_size": 211, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 48, "patch_size": 8},
		"qformer_config": {"hidden_size": 32, "intermediate_size": 169, "num_hidden_layers": 2, "num_attention_heads": 1, "encoder_hidden_size": 64,
			"cross_attention_frequency": 2, "vocab_size": 40, "max_position_embeddings": 20},
		"text_config": {"model_type": "opt", "hidden_size": 32, "word_embed_proj_dim": 32, "ffn_dim": 169, "num_hidden_layers": 2,
			"num_attention_heads": 1, "max_position_embeddings": 40, "vocab_size": 127}}`},
}

// BenchmarkAnswer answers one question about one picture, by the program and in the ordinary way, at the default job's sizes.
func BenchmarkAnswer(b *testing.B) {
	torch.SetNumThreads(1)
	for _, size := range benchSizes {
		c, err := ParseConfig([]byte(size.text))
		require.NoError(b, err)
		m, err := New(c)
		require.NoError(b, err)
		require.NoError(b, m.store.Init(7, torch.CPU))
		pictures := torch.NewGenerator(3).Randn(1, 3, 48, 48)
		questions := [][]Question{{{Prompt: []int{5, 6, 7, 8, 9, 10}}}}
		o := GenerateOptions{MaxTokens: 2}
		b.Run(size.name+"/program", func(b *testing.B) {
			for b.Loop() {
				_, err := m.Generate(pictures, questions, o)
				require.NoError(b, err)
			}
		})
		b.Run(size.name+"/ordinary", func(b *testing.B) {
			for b.Loop() {
				err := torch.Run(func(*torch.Scope) (err error) {
					torch.Inference(func() { _, err = m.generate(pictures, questions, o) })
					return err
				})
				require.NoError(b, err)
			}
		})
		m.store.Free()
	}
}
