package model_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/modeltest"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// until is an answer up to the first of the ends.
func until(answer, ends []int) []int {
	if at := slices.IndexFunc(answer, func(id int) bool { return slices.Contains(ends, id) }); at >= 0 {
		return answer[:at]
	}
	return answer
}

// A greedy answer with several ends is the answer without any, cut at the first of them.
func TestGreedyEndsAtAnyEnd(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		m, io := modeltest.RefTiny(t), modeltest.RefTinyFile(t, "io")
		pictures := modeltest.RefTinyBatch(t, io, 0, 2, false).Pictures
		asked := model.Prompts([][][]int{{{2, 3, 4}, {8}, {9, 9}}, {{5, 6, 7, 8}}})
		const most = 6
		whole, err := m.Generate(pictures, asked, model.GenerateOptions{MaxTokens: most})
		require.NoError(t, err)
		ends := []int{whole[0][0][3], whole[1][0][2]}
		got, err := m.Generate(pictures, asked, model.GenerateOptions{MaxTokens: most, Ends: ends})
		require.NoError(t, err)
		cut := map[int]bool{}
		for p := range whole {
			for s := range whole[p] {
				require.Len(t, whole[p][s], most, "without ends answers take all tokens")
				want := until(whole[p][s], ends)
				assert.Equal(t, append([]int{}, want...), append([]int{}, got[p][s]...))
				if len(want) < most {
					cut[whole[p][s][len(want)]] = true
				}
			}
		}
		require.Len(t, cut, 2, "both ends have ended something")

		later, err := m.Generate(pictures, asked, model.GenerateOptions{MaxTokens: most, MinTokens: most, Ends: ends})
		require.NoError(t, err)
		for p := range later {
			for _, answer := range later[p] {
				assert.Equal(t, answer, until(answer, ends), "no end is taken before MinTokens")
				assert.Len(t, answer, most)
			}
		}
	})
}

// With as many beams as there are tokens the search over two tokens is exhaustive, whichever token ends the answer.
func TestBeamsEndAtAnyEnd(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		m, io := modeltest.RefTiny(t), modeltest.RefTinyFile(t, "io")
		pictures := modeltest.RefTinyBatch(t, io, 0, 1, false).Pictures
		const words = 85
		prompt := []int{2, 3, 4}
		torch.NoGrad(func() {
			after := func(text ...int) []float64 {
				b, err := model.Form{}.Pack(pictures, [][]model.Question{{{Prompt: text, Answer: []int{0}}}}, torch.CPU)
				require.NoError(t, err)
				return m.Logits(b).To(torch.Float64).LogSoftmax(-1).Floats()
			}
			first := after(prompt...)
			second := make([][]float64, words)
			order := make([]int, words)
			for a := range words {
				order[a], second[a] = a, after(append(slices.Clone(prompt), a)...)
			}
			slices.SortFunc(order, func(a, b int) int {
				if first[a] > first[b] {
					return -1
				}
				return 1
			})
			for _, ends := range [][]int{{order[3], order[0]}, {order[0], order[1], order[2], order[40]}, {order[80], order[1]}} {
				best, next, answer := math.Inf(-1), math.Inf(-1), []int(nil)
				try := func(sum float64, ids ...int) {
					if sum > best {
						best, next, answer = sum, best, ids
					} else {
						next = max(next, sum)
					}
				}
				for a := range words {
					if slices.Contains(ends, a) {
						try(first[a], a)
						continue
					}
					for b := range words {
						try(first[a]+second[a][b], a, b)
					}
				}
				require.Greater(t, best-next, 1e-3, "rounding cannot turn it")
				got, err := m.Generate(pictures, [][]model.Question{{{Prompt: prompt}}}, model.GenerateOptions{MaxTokens: 2, Ends: ends, Beams: words})
				require.NoError(t, err)
				assert.Equal(t, append([]int{}, until(answer, ends)...), append([]int{}, got[0][0]...), "%v", ends)
			}
		})
	})
}

// Two beams, of which one may have to begin with the fifth best token, because the first, third and fourth are ends: with
// 2·beams candidates it would be missed. transformers looks at (1 + ends)·beams.
func TestBeamsLookPastTheirEnds(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		m := modeltest.Family(t, "blip2_llama") // its logits are flat
		size := m.Config().Vision.Image
		pictures := torch.NewGenerator(1).Randn(1, 3, size, size)
		const near = 1e-3
		fifth := 0 // answers that begin with it
		for prompt := 2; prompt < 64; prompt++ {
			b, err := model.Form{}.Pack(pictures, [][]model.Question{{{Prompt: []int{prompt}, Answer: []int{0}}}}, torch.CPU)
			require.NoError(t, err)
			logp := m.Logits(b).To(torch.Float64).LogSoftmax(-1)
			values, at := logp.TopK(6, 1)
			first, order := torch.Values[float64](values), torch.Values[int64](at)
			best, next, answer := math.Inf(-1), math.Inf(-1), []int(nil)
			for _, k := range []int{1, 4} {
				b, err := model.Form{}.Pack(pictures, [][]model.Question{{{Prompt: []int{prompt, int(order[k])}, Answer: []int{0}}}}, torch.CPU)
				require.NoError(t, err)
				for id, second := range m.Logits(b).To(torch.Float64).LogSoftmax(-1).Floats() {
					if sum := first[k] + second; sum > best {
						best, next, answer = sum, best, []int{int(order[k]), id}
					} else {
						next = max(next, sum)
					}
				}
			}
			if best-next < near || first[1]-first[2] < near || first[3]-first[4] < near || first[4]-first[5] < near {
				continue // rounding could turn it
			}
			if answer[0] == int(order[4]) {
				fifth++
			}
			ends := []int{int(order[0]), int(order[2]), int(order[3])}
			got, err := m.Generate(pictures, [][]model.Question{{{Prompt: []int{prompt}}}},
				model.GenerateOptions{MaxTokens: 2, Ends: ends, Beams: 2, LengthPenalty: 100}) // an answer of two tokens is always better than one
			require.NoError(t, err)
			assert.Equal(t, until(answer, ends), got[0][0], "prompt %d", prompt)
		}
		require.NotZero(t, fifth)
	})
}

// What cannot be searched or kept is refused by name.
func TestGenerateLimits(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		m, io := modeltest.RefTiny(t), modeltest.RefTinyFile(t, "io")
		pictures := modeltest.RefTinyBatch(t, io, 0, 1, false).Pictures
		asked := [][]model.Question{{{Prompt: []int{2}}}}
		for _, o := range []struct {
			model.GenerateOptions
			want string
		}{
			{model.GenerateOptions{MaxTokens: 1, Beams: 86}, "give at most 85"},
			{model.GenerateOptions{MaxTokens: 1 << 16, Beams: 2}, "65536"},
			{model.GenerateOptions{MaxTokens: 1<<16 + 1}, "65536"},
			{model.GenerateOptions{}, "at least one token"},
		} {
			_, err := m.Generate(pictures, asked, o.GenerateOptions)
			assert.ErrorContains(t, err, o.want)
		}
		_, err := m.Generate(pictures, asked, model.GenerateOptions{MaxTokens: 1, Beams: 85})
		assert.NoError(t, err)
	})
}
