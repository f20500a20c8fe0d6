package model_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// A T5 of halves with wo in float32 adds in halves up to the first wo, as in transformers. The start token is 2048, attention
// adds .4, which halves lose, and wo takes 2048 away again: nothing is left.
func TestT5AddsInHalvesBeforeTheFirstWo(t *testing.T) {
	torchtest.Setup(t)
	c, err := model.ParseConfig([]byte(`{"model_type": "blip-2", "num_query_tokens": 2,
		"vision_config": {"hidden_size": 4, "intermediate_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1, "image_size": 4, "patch_size": 4},
		"qformer_config": {"hidden_size": 4, "intermediate_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1, "encoder_hidden_size": 4},
		"text_config": {"model_type": "t5", "d_model": 4, "d_kv": 4, "d_ff": 4, "num_layers": 1, "num_heads": 1, "vocab_size": 8, "tie_word_embeddings": false}}`))
	require.NoError(t, err)
	m, err := model.New(c)
	require.NoError(t, err)
	defer m.Store().Free()
	const block = "language_model.decoder.block.0.layer."
	torchtest.Run(t, func(*torch.Scope) {
		filled := map[string]float64{"language_model.shared.weight": 2048, block + "0.SelfAttention.v.weight": .1, "language_model.lm_head.weight": 1}
		diagonal := map[string]float64{block + "0.SelfAttention.o.weight": 1, block + "2.DenseReluDense.wi.weight": 1, block + "2.DenseReluDense.wo.weight": -2048}
		found := 0
		for _, p := range m.Store().Params() {
			d := torch.Float16
			if strings.HasSuffix(p.Name, ".wo.weight") {
				d = torch.Float32
			}
			values := make([]float32, torch.Zeros(p.Shape(), d, torch.CPU).Count())
			for i := range values {
				values[i] = float32(filled[p.Name])
				if strings.HasSuffix(p.Name, "norm.weight") {
					values[i] = 1
				} else if v, ok := diagonal[p.Name]; ok && i%5 == 0 {
					values[i] = float32(v)
				}
			}
			if filled[p.Name] != 0 || diagonal[p.Name] != 0 {
				found++
			}
			p.Set(torch.From(values, torch.CPU, p.Shape()...).To(d))
		}
		require.Equal(t, len(filled)+len(diagonal), found)
		pictures := torch.Zeros([]int{1, 3, 4, 4}, torch.Float32, torch.CPU)
		b, err := m.Form().Pack(pictures, [][]model.Question{{{Prompt: []int{3, 4}, Answer: []int{5, 1}}}}, torch.CPU)
		require.NoError(t, err)
		torch.NoGrad(func() { assert.Less(t, m.Logits(b).Abs().AMax().Item(), .01) })
	})
}
