package model_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/modeltest"
	"espalier/torch"
	"espalier/torch/torchtest"
)

func TestOutputsEqualReference(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		io, want := modeltest.RefTinyFile(t, "io"), modeltest.RefTinyTruth(t)
		modeltest.InBoth(t, modeltest.RefTiny(t), func(t *testing.T, m *model.Blip2) {
			b := modeltest.RefTinyBatch(t, io, 0, 4, true)
			torch.NoGrad(func() {
				want.Check(t, "prefix", m.Prefix(b))
				want.Check(t, "logits", m.Logits(b).Reshape(io["logits"].Shape()...))
			})
		})
	})
}

func TestGradientsEqualReference(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		io, loss, want := modeltest.RefTinyFile(t, "io"), modeltest.RefTinyTruth(t), modeltest.RefTinyParameters(t, "grads")
		modeltest.InBoth(t, modeltest.RefTiny(t), func(t *testing.T, m *model.Blip2) {
			b := modeltest.RefTinyBatch(t, io, 0, 4, false)
			got := backwards(t, m, func() *torch.Tensor {
				l := m.Logits(b).CrossEntropy(b.Targets)
				loss.Check(t, "ce_loss", l)
				return l
			})
			require.Len(t, got, len(want.Values))
			for name, g := range got {
				want.Check(t, name, g)
			}
		})
	})
}

// backwards gives the gradients of a loss for the parameters that have one.
func backwards(t *testing.T, m model.Network, loss func() *torch.Tensor) map[string]*torch.Tensor {
	t.Helper()
	m.Store().SetRequiresGrad(true)
	defer m.Store().SetRequiresGrad(false)
	loss().Backward()
	out := map[string]*torch.Tensor{}
	for _, p := range m.Store().Params() {
		if g := p.T().Grad(); g != nil {
			out[p.Name] = g
			p.T().SetGrad(nil)
		}
	}
	return out
}

func TestGreedyEqualsReference(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		m, io, truth := modeltest.RefTiny(t), modeltest.RefTinyFile(t, "io"), modeltest.RefTinyTruth(t)
		b := modeltest.RefTinyBatch(t, io, 0, 4, false)
		want := torch.Values[int64](io["generate"])
		truth.Sure(t, truth.Values["generate_margins"].Floats())
		got, err := m.Generate(b.Pictures, model.Prompts(prompts(io)), model.GenerateOptions{MaxTokens: 4, Ends: []int{1}})
		require.NoError(t, err)
		for p := range got {
			for s := range got[p] {
				var expected []int
				for _, id := range want[(p*5+s)*4:][:4] {
					if id == 1 {
						break
					}
					expected = append(expected, int(id))
				}
				assert.Equal(t, expected, got[p][s], "picture %d question %d", p, s)
			}
		}
	})
}

func prompts(io map[string]*torch.Tensor) [][][]int {
	ids := torch.Values[int64](io["questions"])
	out := make([][][]int, 4)
	for i := 0; i < len(ids); i += 6 {
		var p []int
		for _, id := range ids[i : i+6] {
			p = append(p, int(id))
		}
		out[i/30] = append(out[i/30], p)
	}
	return out
}

// Each packed question must come out as if it stood alone, whatever its neighbours' lengths.
func TestPackedEqualsAlone(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		m, io := modeltest.Double(t, modeltest.RefTiny(t)), modeltest.RefTinyFile(t, "io")
		pictures := modeltest.RefTinyBatch(t, io, 0, 2, false).Pictures
		questions := [][]model.Question{
			{{Prompt: []int{2, 3, 4}, Answer: []int{30, 32, 1}}, {Prompt: []int{8}, Answer: []int{1}}},
			{{Prompt: []int{5, 6, 7, 8, 9, 10}, Answer: []int{40, 41, 42, 43, 1}}, {Prompt: []int{11, 12}, Answer: []int{50, 1}}, {Prompt: []int{2, 2}, Answer: []int{1}}},
		}
		torch.NoGrad(func() {
			packed, err := model.Form{}.Pack(pictures, questions, torch.CPU)
			require.NoError(t, err)
			assert.Equal(t, []int{4, 8}, packed.Scored)
			got := m.Logits(packed)
			row := 0
			for p, qs := range questions {
				for _, q := range qs {
					alone, err := model.Form{}.Pack(pictures.Narrow(0, p, 1), [][]model.Question{{q}}, torch.CPU)
					require.NoError(t, err)
					torchtest.Same(t, m.Logits(alone), got.Narrow(0, row, len(q.Answer)))
					row += len(q.Answer)
				}
			}
		})
	})
}

// Generation with kept keys and values must choose what a full forward over prompt and answer would choose.
func TestGreedyEqualsFullForward(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		m, io := modeltest.Double(t, modeltest.RefTiny(t)), modeltest.RefTinyFile(t, "io")
		pictures := modeltest.RefTinyBatch(t, io, 0, 2, false).Pictures
		asked := [][][]int{{{2, 3, 4}, {8}, {9, 9}}, {{5, 6, 7, 8}}}
		got, err := m.Generate(pictures, model.Prompts(asked), model.GenerateOptions{MaxTokens: 6, Ends: []int{1}})
		require.NoError(t, err)
		torch.NoGrad(func() {
			for p := range asked {
				for s, prompt := range asked[p] {
					var answer []int
					for range 6 {
						text := append(append([]int{}, prompt...), answer...)
						b, err := model.Form{}.Pack(pictures.Narrow(0, p, 1), [][]model.Question{{{Prompt: text, Answer: []int{0}}}}, torch.CPU)
						require.NoError(t, err)
						id := int(m.Logits(b).ArgMax(-1).Item())
						if id == 1 {
							break
						}
						answer = append(answer, id)
					}
					assert.Equal(t, answer, got[p][s])
				}
			}
		})
	})
}

// With as many beams as there are tokens the search over two tokens is exhaustive.
func TestBeamSearchFindsTheBest(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		m, io := modeltest.Double(t, modeltest.RefTiny(t)), modeltest.RefTinyFile(t, "io")
		pictures := modeltest.RefTinyBatch(t, io, 0, 2, false).Pictures
		asked := [][][]int{{{2, 3, 4}, {8}}, {{5, 6, 7, 8}}}
		const words, eos = 85, 1
		torch.NoGrad(func() {
			// after is the log-probability of each token that follows the prompt and the tokens so far.
			after := func(picture int, text ...int) []float64 {
				b, err := model.Form{}.Pack(pictures.Narrow(0, picture, 1), [][]model.Question{{{Prompt: text, Answer: []int{0}}}}, torch.CPU)
				require.NoError(t, err)
				return m.Logits(b).LogSoftmax(-1).Floats()
			}
			got, err := m.Generate(pictures, model.Prompts(asked), model.GenerateOptions{MaxTokens: 2, Ends: []int{eos}, Beams: words})
			require.NoError(t, err)
			for p := range asked {
				for s, prompt := range asked[p] {
					first := after(p, prompt...)
					best, answer := first[eos], []int(nil)
					for a := range words {
						if a == eos {
							continue
						}
						for b, second := range after(p, append(append([]int{}, prompt...), a)...) {
							if sum := first[a] + second; sum > best {
								best, answer = sum, []int{a, b}
							}
						}
					}
					if len(answer) == 2 && answer[1] == eos {
						answer = answer[:1]
					}
					assert.Equal(t, answer, got[p][s])
				}
			}
		})
	})
}

// A hypothesis that has ended competes with longer ones by its score over length^penalty.
func TestLengthPenaltyFavoursLongAnswers(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		m, io := modeltest.Double(t, modeltest.RefTiny(t)), modeltest.RefTinyFile(t, "io")
		pictures := modeltest.RefTinyBatch(t, io, 0, 4, false).Pictures
		plain, err := m.Generate(pictures, model.Prompts(prompts(io)), model.GenerateOptions{MaxTokens: 6, Ends: []int{1}})
		require.NoError(t, err)
		eos := plain[0][0][2] // a token that these random weights do choose
		total := func(penalty float64) (n int) {
			got, err := m.Generate(pictures, model.Prompts(prompts(io)), model.GenerateOptions{MaxTokens: 6, Ends: []int{eos}, Beams: 4, LengthPenalty: penalty})
			require.NoError(t, err)
			for _, p := range got {
				for _, a := range p {
					n += len(a)
				}
			}
			return n
		}
		assert.Greater(t, total(4), total(-4))
	})
}
