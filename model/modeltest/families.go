package modeltest

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/torch"
)

// Hub are the fixtures that transformers has made, with the outputs and gradients that testdata/make_hub.py says.
var Hub = []string{"blip2_opt", "blip2_t5", "instructblip_t5", "blip2_llama", "instructblip_llama"}

// Families are networks of every form, small and lively: transformers' fixtures, and a drawn one for what they do not cover (an
// untied head and embeddings of another width in OPT).
var Families = append(slices.Clone(Hub), "blip2_opt_wide")

// Decoders are networks without towers, with the outputs that testdata/make_decoders.py says.
var Decoders = []string{"decoder_opt", "decoder_llama"}

var drawn = map[string]string{
	"blip2_opt_wide": `{"model_type": "blip-2", "num_query_tokens": 4, "image_token_index": 63,
		"vision_config": {"hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 24, "patch_size": 8},
		"qformer_config": {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 3, "num_attention_heads": 4, "encoder_hidden_size": 32,
			"vocab_size": 40, "max_position_embeddings": 20},
		"text_config": {"model_type": "opt", "hidden_size": 40, "word_embed_proj_dim": 28, "tie_word_embeddings": false, "ffn_dim": 56,
			"num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 32, "vocab_size": 64, "eos_token_id": 1}}`,
}

// FamilyConfig is the config of one of the Families.
func FamilyConfig(t testing.TB, name string) *model.Config {
	t.Helper()
	text, ok := drawn[name]
	if !ok {
		data, err := os.ReadFile(filepath.Join(Folder(name), "config.json"))
		require.NoError(t, err)
		text = string(data)
	}
	c, err := model.ParseConfig([]byte(text))
	require.NoError(t, err)
	return c
}

// Family is one of the Families with its weights.
func Family(t testing.TB, name string) *model.Blip2 {
	t.Helper()
	if _, ok := drawn[name]; !ok {
		m, err := model.Load(Folder(name), torch.CPU)
		require.NoError(t, err)
		t.Cleanup(m.Store().Free)
		return m
	}
	m, err := model.New(FamilyConfig(t, name))
	require.NoError(t, err)
	require.NoError(t, m.Store().Init(7, torch.CPU))
	t.Cleanup(m.Store().Free)
	return m
}

// Ask packs made-up questions, two about one drawn picture and one about another, in the form of a network and on its
// device; a decoder gets them without pictures, in the same rows.
func Ask(m model.Network) func() (*model.Batch, error) {
	c, on := m.Config(), m.Store().Params()[0].T().Device()
	question := func(from, n int) model.Question {
		q := model.Question{Answer: []int{7, 9, 5}}
		for i := range n {
			q.Prompt, q.Instruction = append(q.Prompt, 11+from+i), append(q.Instruction, 5+from+2*i)
		}
		return q
	}
	return func() (*model.Batch, error) {
		pictures := model.NoPictures(2, on)
		if c.Towers() {
			pictures = torch.NewGenerator(3).Randn(2, 3, c.Vision.Image, c.Vision.Image).ToDevice(on)
		}
		return m.Form().Pack(pictures, [][]model.Question{{question(0, 4), question(5, 2)}, {question(9, 3)}}, on)
	}
}

// Asked are the tokens of Ask's questions and answers, which a cut of the vocabulary must leave.
func Asked() map[int]bool {
	out := map[int]bool{0: true, 7: true, 9: true, 5: true} // 0 is padding and T5's start
	for id := 11; id < 24; id++ {
		out[id] = true
	}
	return out
}
