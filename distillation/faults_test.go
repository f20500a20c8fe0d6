package distillation_test

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/distillation"
	"espalier/model"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// A loss that is no number is named; its step leaves the weights as they are, and the training goes on.
func TestStepsWithoutANumberAreSkipped(t *testing.T) {
	torchtest.Setup(t)
	bad := func(steps ...int) func(distillation.At, *torch.Tensor) *torch.Tensor {
		return func(at distillation.At, loss *torch.Tensor) *torch.Tensor {
			for _, s := range steps {
				if at.Step == s {
					return loss.MulScalar(math.NaN())
				}
			}
			return loss
		}
	}
	s := newStepper(t)
	s.hook = bad(0)
	before := s.weights()
	told, err := s.train(context.Background(), distillation.Options{Steps: 1})
	var lost *distillation.Diverged
	require.ErrorAs(t, err, &lost, "one of one is more than a tenth")
	assert.Equal(t, 1, told.Skipped)
	assert.True(t, before == s.weights())

	s.hook = bad(4)
	told, err = s.train(context.Background(), distillation.Options{Steps: 10})
	require.NoError(t, err)
	assert.Equal(t, 1, told.Skipped)
	assert.Equal(t, []string{"step 5 is skipped: its loss is NaN, the norm of its gradients NaN (batch 4, counted from 0)"}, s.notes)
	require.NoError(t, model.CheckFinite(s.n))

	// Of the batches of a step the first is named whose loss is no number; where all are numbers, those of the gradients.
	s.notes, s.hook = nil, func(at distillation.At, loss *torch.Tensor) *torch.Tensor {
		switch {
		case at.Step == 3 && at.Part == 1:
			return loss.MulScalar(math.NaN())
		case at.Step == 5: // a finite loss, and gradients that float32 does not hold
			zero := loss.Sub(loss.Detach())
			return zero.MulScalar(1e38).MulScalar(1e38).Add(loss.Detach())
		}
		return loss
	}
	_, err = s.train(context.Background(), distillation.Options{Steps: 20, Accumulate: 3})
	require.NoError(t, err)
	require.Len(t, s.notes, 2)
	assert.Contains(t, s.notes[0], "step 4 is skipped: its loss is NaN")
	assert.Contains(t, s.notes[0], "(batch 10, counted from 0)")
	assert.Contains(t, s.notes[1], "step 6 is skipped")
	assert.Contains(t, s.notes[1], "(batches 15 to 17, counted from 0)")
	require.NoError(t, model.CheckFinite(s.n))

	s.hook = bad(2, 7)
	_, err = s.train(context.Background(), distillation.Options{Steps: 10})
	require.ErrorAs(t, err, &lost)
	assert.False(t, lost.InARow)
	assert.ErrorContains(t, err, "2 steps were skipped until step 8, whose loss is NaN at a rate of 0.01")

	s.hook = bad(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
	_, err = s.train(context.Background(), distillation.Options{Steps: 1000})
	require.ErrorAs(t, err, &lost)
	assert.True(t, lost.InARow)
}

// Where memory is short a step is done again in more pieces, which add up to the same loss and gradients.
func TestShortMemoryTakesPieces(t *testing.T) {
	torchtest.Setup(t)
	w := torch.From([]float64{1, -2, 3, .5}, torch.CPU)
	defer w.Free()
	run := func(fits int) ([]torch.Growth, []float64, []string, error) {
		w.CopyFrom(torch.From([]float64{1, -2, 3, .5}, torch.CPU))
		var notes []string
		pieces := &torch.Pieces{Most: 4, What: "training", Note: func(text string) { notes = append(notes, text) }}
		_, err := distillation.Train(context.Background(), []*torch.Tensor{w}, distillation.Options{Steps: 3, LR: .1, Pieces: pieces}, func(at distillation.At, _ func(func())) (*torch.Tensor, error) {
			n := 4 / at.Pieces
			if n > fits {
				panic(&torch.Error{Op: "matmul", Kind: torch.KindMemory, Message: "no room for 64 bytes"})
			}
			part := w.Slice(0, at.Piece*n, (at.Piece+1)*n)
			return part.Mul(part).Sum(), nil
		})
		return pieces.Grown, w.Floats(), notes, err
	}
	grown, want, notes, err := run(4)
	require.NoError(t, err)
	assert.Empty(t, grown)
	assert.Empty(t, notes)
	grown, got, notes, err := run(1)
	require.NoError(t, err)
	assert.Equal(t, []torch.Growth{{From: 0, Pieces: 2}, {From: 0, Pieces: 4}}, grown)
	assert.InDeltaSlice(t, want, got, 1e-12)
	require.Len(t, notes, 2)
	assert.Contains(t, notes[0], "batches are computed in 2 pieces from number 1 on")
	_, _, _, err = run(0)
	var short *torch.OutOfMemory
	require.ErrorAs(t, err, &short)
	assert.ErrorContains(t, err, "step 1: there is not enough memory for training, a batch in 4 pieces")
	assert.ErrorContains(t, err, "no room for 64 bytes")
}

// A piece without a row to learn from adds nothing.
func TestPiecesWithoutRows(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		logits, none := torch.Ones([]int{2, 5}, torch.Float64, torch.CPU), torch.Ones([]int{0, 5}, torch.Float64, torch.CPU)
		targets, unlabelled := torch.From([]int64{0, 1}, torch.CPU), torch.From([]int64{}, torch.CPU, 0)
		l, whole := distillation.Loss{KL: 1, Pair: .7, CE: .3}, distillation.Rows{All: 4, Labelled: 1}
		assert.Zero(t, l.OfPiece(none, distillation.Logits(none), unlabelled, nil, whole).Item())
		assert.Zero(t, l.OfPiece(none, distillation.Logits(none), unlabelled, unlabelled, whole).Item())
		l.KL = 0
		assert.Zero(t, l.OfPiece(logits, nil, targets, unlabelled, whole).Item())
	})
}

// The pieces of a batch add up to its loss, whatever rows have an answer of the data's.
func TestPiecesAddUp(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		g := torch.NewGenerator(3)
		student, teacher := g.Randn(6, 5).To(torch.Float64).SetRequiresGrad(true), g.Randn(6, 5).To(torch.Float64)
		targets := torch.From([]int64{0, 1, 2, 3, 4, 0}, torch.CPU)
		l := distillation.Loss{KL: 1, Temperature: 2, Pair: .7, CE: .3}
		labelled := torch.From([]int64{0, 2, 3}, torch.CPU)
		whole := l.Of(student, distillation.Logits(teacher), targets, labelled)
		whole.Backward()
		want := torch.Values[float64](student.Grad())
		student.SetGrad(nil)
		var sum float64
		for i, own := range [][]int64{{0}, {0, 1}, {}} { // of rows 0–1, 2–3, 4–5
			piece := l.OfPiece(student.Slice(0, 2*i, 2*i+2), distillation.Logits(teacher.Slice(0, 2*i, 2*i+2)), targets.Slice(0, 2*i, 2*i+2),
				torch.From(own, torch.CPU, len(own)), distillation.Rows{All: 6, Labelled: 3})
			piece.Backward()
			sum += piece.Item()
		}
		assert.InDelta(t, whole.Item(), sum, 1e-12)
		assert.InDeltaSlice(t, want, torch.Values[float64](student.Grad()), 1e-12)
	})
}
