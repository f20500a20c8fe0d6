package pipeline

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/distillation"
	"espalier/model"
	"espalier/model/prompt"
	"espalier/pipeline/corpus"
	"espalier/pipeline/data"
	"espalier/pipeline/runtest"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// Divided or not, the questions of a picture have the same logits, losses, gradients and answers.
func TestDividedQuestionsEqualWhole(t *testing.T) {
	for _, f := range runtest.Families {
		t.Run(f[0]+" "+f[1], func(t *testing.T) {
			torchtest.Setup(t)
			folder := runtest.Teacher(t, f[0], f[1])
			loaded, err := model.Load(folder, torch.CPU)
			require.NoError(t, err)
			m, err := model.Convert(loaded, torch.Float64, torch.CPU)
			require.NoError(t, err)
			loaded.Store().Free()
			defer m.Store().Free()
			m.Store().SetRequiresGrad(true)
			words := func(*data.Dataset) prompt.Words {
				w, err := prompt.Load(folder, m.Config(), "")
				require.NoError(t, err)
				return w
			}
			whole, divided := adsCorpus(t, m.Form(), words), adsCorpus(t, m.Form(), words)
			queries := m.Config().Queries
			limit := m.Form().Tokens(queries, whole.Asked.Questions[0]) / 2
			require.NotEmpty(t, divided.Divide(limit, queries, 4))
			require.GreaterOrEqual(t, divided.Split.Len(), 6, "each picture has parts")
			for i, qs := range divided.Asked.Questions {
				assert.True(t, len(qs) == 1 || m.Form().Tokens(queries, qs) <= limit, "part %d", i)
			}

			type result struct {
				logits  []float64
				loss    float64
				grads   [][]float64
				answers [][]int
			}
			of := func(c *corpus.Corpus) (out result) {
				require.NoError(t, torch.Run(func(*torch.Scope) error {
					b, err := c.Read(upTo(c.Split.Len()))
					if err != nil {
						return err
					}
					logits := m.Logits(b)
					teacher := torch.NewGenerator(2).Randn(logits.Shape()...)
					loss := distillation.Loss{KL: 1, Pair: 1, CE: 1}.Of(logits, distillation.Logits(teacher), b.Targets, c.Asked.Labelled(upTo(c.Split.Len()), c.On))
					loss.Backward()
					out.logits, out.loss = torch.Values[float64](logits), loss.Item()
					for _, p := range m.Store().Params() {
						var g []float64
						if grad := p.T().Grad(); grad != nil {
							g = torch.Values[float64](grad)
						}
						out.grads = append(out.grads, g)
						p.T().SetGrad(nil)
					}
					return nil
				}))
				all, _, err := data.First(c.Split, c.Split.Parts().Pictures())
				require.NoError(t, err)
				answers, err := c.Answers(m, nil, all, 4)
				require.NoError(t, err)
				out.answers = slices.Concat(answers...)
				return out
			}
			a, b := of(whole), of(divided)
			close := func(want, got []float64, what string) {
				require.Len(t, got, len(want), what)
				largest := 0.
				for _, v := range want {
					largest = max(largest, v, -v)
				}
				require.InDeltaSlice(t, want, got, 1e-9*max(largest, 1e-3), what)
			}
			close(a.logits, b.logits, "logits")
			close([]float64{a.loss}, []float64{b.loss}, "loss")
			for i, p := range m.Store().Params() {
				close(a.grads[i], b.grads[i], p.Name)
			}
			assert.Equal(t, a.answers, b.answers)
		})
	}
}

func upTo(n int) (out []int) {
	for i := range n {
		out = append(out, i)
	}
	return out
}
