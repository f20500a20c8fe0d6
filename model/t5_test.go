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

// A T5 of halves adds in halves up to the first wo and in float32 from there on, as in transformers, which loads wo in
// float32 however it is stored. The network's decoder turns its start token into four equal numbers: the token's, and what
// attention and wo add; their norm is the logit's quarter.
func TestT5OfHalves(t *testing.T) {
	for name, c := range map[string]struct {
		wo                       torch.DType
		start, attention, up, to float64
		logit                    float64
	}{
		"halves before the first wo":             {torch.Float32, 2048, .4, 1, -2048, 0}, // 2048.4 is 2048 in halves
		"halves before the first wo, itself one": {torch.Float16, 2048, .4, 1, -2048, 0},
		"float32 after it":                       {torch.Float32, 1, 0, 8, 3e4, 4}, // 240,000 is beyond float16
		"float32 after it, itself a half":        {torch.Float16, 1, 0, 8, 3e4, 4},
	} {
		t.Run(name, func(t *testing.T) {
			torchtest.Setup(t)
			m := tinyT5(t)
			const block = "language_model.decoder.block.0.layer."
			filled := map[string]float64{"language_model.shared.weight": c.start, "language_model.lm_head.weight": 1}
			diagonal := map[string]float64{block + "0.SelfAttention.v.weight": c.attention, block + "0.SelfAttention.o.weight": 1,
				block + "2.DenseReluDense.wi.weight": c.up, block + "2.DenseReluDense.wo.weight": c.to}
			require.NoError(t, torch.Run(func(*torch.Scope) error {
				for _, p := range m.Store().Params() {
					shape := p.Shape()
					value := torch.Full(shape, filled[p.Name], torch.Float32, torch.CPU)
					if d, ok := diagonal[p.Name]; ok {
						value = torch.From([]float32{1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1}, torch.CPU, 4, 4).MulScalar(d)
						delete(diagonal, p.Name)
					} else if strings.HasSuffix(p.Name, "norm.weight") {
						value = torch.Ones(shape, torch.Float32, torch.CPU)
					}
					if strings.HasSuffix(p.Name, ".wo.weight") {
						p.Set(value.To(c.wo))
					} else {
						p.Set(value.To(torch.Float16))
					}
				}
				require.Empty(t, diagonal, "all were set")
				pictures := torch.Zeros([]int{1, 3, 4, 4}, torch.Float32, torch.CPU)
				b, err := m.Form().Pack(pictures, [][]model.Question{{{Prompt: []int{3, 4}, Answer: []int{5, 1}}}}, torch.CPU)
				require.NoError(t, err)
				torch.NoGrad(func() {
					logits := m.Logits(b)
					assert.Equal(t, torch.Float16, logits.DType(), "the head is in halves, and so is what it reads")
					assert.Less(t, logits.AddScalar(-c.logit).Abs().AMax().Item(), .01)
				})
				return nil
			}))
		})
	}
}

// tinyT5 is a network with towers of one block, four wide.
func tinyT5(t *testing.T) *model.Blip2 {
	t.Helper()
	c, err := model.ParseConfig([]byte(`{"model_type": "blip-2", "num_query_tokens": 2,
		"vision_config": {"hidden_size": 4, "intermediate_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1, "image_size": 4, "patch_size": 4},
		"qformer_config": {"hidden_size": 4, "intermediate_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1, "encoder_hidden_size": 4},
		"text_config": {"model_type": "t5", "d_model": 4, "d_kv": 4, "d_ff": 4, "num_layers": 1, "num_heads": 1, "vocab_size": 8, "tie_word_embeddings": false}}`))
	require.NoError(t, err)
	m, err := model.New(c)
	require.NoError(t, err)
	t.Cleanup(m.Store().Free)
	return m
}
