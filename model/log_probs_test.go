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

// The log-probabilities of greedy answers, which end early or not at all and stand beside each other, are those of a plain forward of each
// answer alone; asking for them changes no answer.
func TestLogProbsEqualPlainForward(t *testing.T) {
	for _, family := range modeltest.Families {
		t.Run(family, func(t *testing.T) {
			torchtest.Run(t, func(*torch.Scope) {
				m := modeltest.Double(t, modeltest.Family(t, family))
				questions := [][]model.Question{{question(0, 4), question(5, 2), question(3, 3)}, {question(9, 3)}}
				image := m.Config().Vision.Image
				pictures := torch.NewGenerator(3).Randn(2, 3, image, image).To(torch.Float64)
				const most = 4
				whole, err := m.Generate(pictures, questions, model.GenerateOptions{MaxTokens: most})
				require.NoError(t, err)
				o := model.GenerateOptions{MaxTokens: most, Ends: []int{whole[0][1][2], whole[1][0][1]}}
				plain, err := m.Generate(pictures, questions, o)
				require.NoError(t, err)
				var got [][][]float64
				o.LogProbs = &got
				answers, err := m.Generate(pictures, questions, o)
				require.NoError(t, err)
				assert.Equal(t, plain, answers)
				early := 0
				for p := range questions {
					require.Len(t, got[p], len(questions[p]))
					for j, q := range questions[p] {
						ends := min(len(answers[p][j])+1, most)
						if ends < most {
							early++
						}
						q.Answer = whole[p][j][:ends]
						b, err := m.Form().Pack(pictures.Narrow(0, p, 1), [][]model.Question{{q}}, torch.CPU)
						require.NoError(t, err)
						torch.NoGrad(func() {
							want := m.Logits(b).LogSoftmax(-1).Gather(-1, b.Targets.Unsqueeze(-1)).Floats()
							require.Len(t, got[p][j], len(want))
							assert.InDeltaSlice(t, want, got[p][j], 1e-9, "picture %d, question %d", p, j)
						})
					}
				}
				assert.NotZero(t, early, "an answer has ended early")
			})
		})
	}
}

// question is made up, with a prompt of so many tokens.
func question(from, n int) (q model.Question) {
	for i := range n {
		q.Prompt, q.Instruction = append(q.Prompt, 11+from+i), append(q.Instruction, 5+from+2*i)
	}
	return q
}

func TestLogProbsAreOfGreedyAnswers(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		m := modeltest.RefTiny(t)
		_, err := m.Generate(nil, nil, model.GenerateOptions{MaxTokens: 2, Beams: 2, LogProbs: new([][][]float64)})
		assert.ErrorContains(t, err, "ask for one beam")
	})
}
