package distillation_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/distillation"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// lossCase is a case of testdata/make_losses.py by its name: kind, form, and two numbers.
func lossCase(t *testing.T, name string) (l distillation.Loss, kept bool) {
	t.Helper()
	parts := strings.SplitN(name, ".", 4)
	number := func(i int) float64 {
		v, err := strconv.ParseFloat(parts[i], 64)
		require.NoError(t, err)
		return v
	}
	switch parts[0] {
	case "ce":
		return distillation.Loss{CE: 1}, false
	case "pair":
		return distillation.Loss{Pair: 1, PairForm: parts[1], Margin: .5}, false
	}
	return distillation.Loss{KL: 1, Form: parts[1], Temperature: number(2), Correct: number(3)}, parts[0] == "top"
}

// Every loss and its gradient equals its definition in PyTorch.
func TestLossesEqualPyTorch(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		golden := torchtest.Golden(t, "testdata/losses.safetensors")
		form := distillation.OutputForm{TopK: 4, Temperatures: []float64{1, 2}}
		cases := 0
		for name, want := range golden {
			grad, ok := golden[name+".grad"]
			if !ok {
				continue
			}
			cases++
			l, kept := lossCase(t, name)
			teacher, labelled := distillation.Logits(golden["teacher"]), golden["labelled"]
			if kept {
				teacher = distillation.TopK(golden["teacher"], golden["targets"], form)
			}
			if l.KL == 0 {
				labelled = nil
			}
			student := golden["student"].Detach().Clone().SetRequiresGrad(true)
			got := l.Of(student, teacher, golden["targets"], labelled)
			got.Backward()
			assert.InDelta(t, want.Item(), got.Item(), 1e-9, name)
			torchtest.Within(t, grad, student.Grad(), 1e-9, 0, name)
		}
		assert.Equal(t, 32, cases)
	})
}

// The label's share goes to the rows that have a label and whose teacher is wrong, and to no other.
func TestCorrectedRows(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		student := torch.Zeros([]int{3, 2}, torch.Float64, torch.CPU)
		teacher := distillation.Logits(torch.From([]float64{4, 0, 4, 0, 4, 0}, torch.CPU, 3, 2))
		of := func(correct float64, targets []int64, labelled ...int64) float64 {
			l := distillation.Loss{KL: 1, Correct: correct}
			return l.Of(student, teacher, torch.From(targets, torch.CPU), torch.From(labelled, torch.CPU, len(labelled))).Item()
		}
		plain := of(0, []int64{0, 0, 0}, 0, 1, 2)
		assert.Equal(t, plain, of(1, []int64{0, 0, 0}, 0, 1, 2), "the teacher is right")
		assert.Equal(t, plain, of(1, []int64{1, 1, 1}), "no row has a label")
		// One of three rows is corrected wholly: its target is sure, and KL from a fair coin is log 2.
		assert.InDelta(t, plain*2/3+.6931471805599453/3, of(1, []int64{1, 1, 1}, 1), 1e-12)
	})
}

// What there is not is named.
func TestUnknownDivergence(t *testing.T) {
	torchtest.Setup(t)
	logits := torch.From([]float32{1, 2, 3}, torch.CPU, 1, 3)
	defer logits.Free()
	for want, of := range map[string]func(targets *torch.Tensor){
		`unknown form "revers"`: func(targets *torch.Tensor) {
			distillation.Loss{KL: 1, Form: "revers"}.Of(logits, distillation.Logits(logits), targets, nil)
		},
		"not known at temperature 3": func(targets *torch.Tensor) {
			teacher := distillation.TopK(logits, targets, distillation.OutputForm{TopK: 2, Temperatures: []float64{1}})
			distillation.Loss{KL: 1, Temperature: 3}.Of(logits, teacher, targets, nil)
		},
	} {
		require.ErrorContains(t, torch.Run(func(*torch.Scope) error {
			of(torch.From([]int64{0}, torch.CPU))
			return nil
		}), want)
	}
}

// A large vocabulary's loss is computed in chunks, with the value and the gradient of its pieces.
func TestChunksEqualPieces(t *testing.T) {
	const rows, vocabulary, piece = 150, 32000, 50
	require.Greater(t, rows*vocabulary, 2*distillation.AtOnce, "three chunks")
	require.LessOrEqual(t, piece*vocabulary, distillation.AtOnce, "a piece is computed whole")
	torchtest.Setup(t)
	for name, c := range map[string]struct {
		loss  distillation.Loss
		dtype torch.DType
		kept  bool
	}{
		"all":      {loss: distillation.Loss{KL: 1, Temperature: 2, Pair: .7, CE: .3}, dtype: torch.Float64},
		"top-k":    {loss: distillation.Loss{KL: 2, Form: "js", Temperature: 2, Correct: .3}, dtype: torch.Float64, kept: true},
		"labels":   {loss: distillation.Loss{Pair: 1}, dtype: torch.Float64}, // the last piece has none
		"bfloat16": {loss: distillation.Loss{KL: 1, CE: 1}, dtype: torch.BFloat16},
	} {
		t.Run(name, func(t *testing.T) {
			torchtest.Run(t, func(*torch.Scope) {
				g := torch.NewGenerator(3)
				student := g.Randn(rows, vocabulary).To(c.dtype).SetRequiresGrad(true)
				logits := g.Randn(rows, vocabulary).MulScalar(2).To(torch.Float64)
				targets := logits.Slice(0, 0, rows).Abs().ArgMax(-1) // the teacher's best or its worst
				teacher := func(from, to int) *distillation.Teacher {
					if c.kept {
						return distillation.TopK(logits.Slice(0, from, to), targets.Slice(0, from, to), distillation.OutputForm{TopK: 8, Temperatures: []float64{2}})
					}
					return distillation.Logits(logits.Slice(0, from, to))
				}
				own := []int64{0, 3, 48, distillation.AtOnce / vocabulary} // the last begins the second chunk
				whole := c.loss.Of(student, teacher(0, rows), targets, torch.From(own, torch.CPU))
				whole.Backward()
				got := student.Grad().To(torch.Float64)
				student.SetGrad(nil)
				var sum float64
				for from := 0; from < rows; from += piece {
					var labelled []int64
					for _, i := range own {
						if int64(from) <= i && i < int64(from+piece) {
							labelled = append(labelled, i-int64(from))
						}
					}
					part := c.loss.OfPiece(student.Slice(0, from, from+piece), teacher(from, from+piece), targets.Slice(0, from, from+piece),
						torch.From(labelled, torch.CPU, len(labelled)), distillation.Rows{All: rows, Labelled: len(own)})
					sum += part.Item()
					if part.RequiresGrad() {
						part.Backward()
					}
				}
				tolerance := 1e-9
				if c.dtype != torch.Float64 {
					tolerance = 1. / 128
				}
				assert.InDelta(t, sum, whole.Item(), tolerance*sum, name)
				torchtest.Within(t, student.Grad().To(torch.Float64), got, tolerance, 0, name)
				torch.NoGrad(func() {
					assert.InDelta(t, sum, c.loss.Of(student, teacher(0, rows), targets, torch.From(own, torch.CPU)).Item(), tolerance*sum, fmt.Sprint(name, " without gradients"))
				})
			})
		})
	}
}
