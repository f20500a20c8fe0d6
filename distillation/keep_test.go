package distillation_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/distillation"
	"espalier/model"
	"espalier/model/modeltest"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// stepper trains a small network; hook may end the training, or give another loss.
type stepper struct {
	n     model.Network
	notes []string
	hook  func(at distillation.At, loss *torch.Tensor) *torch.Tensor
}

func newStepper(t *testing.T) *stepper {
	n, err := model.Convert(modeltest.Family(t, "blip2_opt"), torch.Float32, torch.CPU)
	require.NoError(t, err)
	t.Cleanup(n.Store().Free)
	return &stepper{n: n}
}

// train takes steps whose batches differ by their number.
func (s *stepper) train(ctx context.Context, o distillation.Options, frozen ...string) (distillation.Trained, error) {
	o.LR, o.WeightDecay, o.Clip, o.Device = 1e-2, .05, 1, torch.CPU
	o.Note = func(text string) { s.notes = append(s.notes, text) }
	return distillation.Train(ctx, s.n.Store().Tensors(frozen...), o, func(at distillation.At, cast func(func())) (*torch.Tensor, error) {
		b, err := modeltest.Ask(s.n)()
		if err != nil {
			return nil, err
		}
		b.Pictures = b.Pictures.MulScalar(1 + float64(at.Step*max(1, o.Accumulate)+at.Part)/8)
		var logits *torch.Tensor
		cast(func() { logits = s.n.Logits(b) })
		loss := distillation.CrossEntropy(logits, b.Targets)
		if s.hook != nil {
			loss = s.hook(at, loss)
		}
		return loss, nil
	})
}

func (s *stepper) weights() string {
	var all strings.Builder
	for _, p := range s.n.Store().Params() {
		all.WriteString(string(p.T().Raw()))
	}
	return all.String()
}

// Stopped after any step, or killed after a state was kept, a training goes on to the same bits.
func TestTrainingGoesOnExactly(t *testing.T) {
	for name, c := range map[string]struct {
		o      distillation.Options
		frozen []string
	}{
		"float32":    {o: distillation.Options{Steps: 5}},
		"accumulate": {o: distillation.Options{Steps: 5, Accumulate: 2}},
		"bfloat16":   {o: distillation.Options{Steps: 5, Precision: torch.BFloat16}},
		"frozen":     {o: distillation.Options{Steps: 5}, frozen: []string{"vision", "embeddings"}},
	} {
		t.Run(name, func(t *testing.T) {
			torchtest.Setup(t)
			whole := newStepper(t)
			_, err := whole.train(context.Background(), c.o, c.frozen...)
			require.NoError(t, err)
			for stop := 1; stop < 5; stop++ {
				o := c.o
				o.Keep.Folder = filepath.Join(t.TempDir(), "state")
				ctx, cancel := context.WithCancelCause(context.Background())
				stopped := fmt.Errorf("stopped at %d", stop)
				o.Progress = func(step int, _ float64) {
					if step == stop {
						cancel(stopped)
					}
				}
				_, err := newStepper(t).train(ctx, o, c.frozen...)
				require.ErrorIs(t, err, stopped)
				again := newStepper(t)
				first := 0
				o.Progress = func(step int, _ float64) {
					if first == 0 {
						first = step
					}
				}
				_, err = again.train(context.Background(), o, c.frozen...)
				require.NoError(t, err)
				assert.Equal(t, stop+1, first)
				assert.True(t, whole.weights() == again.weights(), "stopped after step %d", stop)
			}
		})
	}
}

// A state that is damaged is named, and not used.
func TestDamagedStateIsNotUsed(t *testing.T) {
	torchtest.Setup(t)
	whole := newStepper(t)
	_, err := whole.train(context.Background(), distillation.Options{Steps: 4})
	require.NoError(t, err)
	for _, damage := range []string{"flip", "cut", "place", "gone"} {
		o := distillation.Options{Steps: 3, Keep: distillation.Keep{Folder: filepath.Join(t.TempDir(), "state"), Steps: 3}}
		_, err := newStepper(t).train(context.Background(), o)
		require.NoError(t, err)
		file := filepath.Join(o.Keep.Folder, "weights-3.safetensors")
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		switch damage {
		case "flip":
			text[len(text)/2] ^= 4
			require.NoError(t, os.WriteFile(file, text, 0o644))
		case "cut":
			require.NoError(t, os.WriteFile(file, text[:len(text)/2], 0o644))
		case "place":
			require.NoError(t, os.WriteFile(filepath.Join(o.Keep.Folder, "place.json"), []byte("{"), 0o644))
		case "gone":
			require.NoError(t, os.Remove(file))
		}
		again := newStepper(t)
		o.Steps = 4
		_, err = again.train(context.Background(), o)
		require.NoError(t, err)
		require.NotEmpty(t, again.notes)
		assert.Contains(t, again.notes[0], "the training begins anew", damage)
		assert.True(t, whole.weights() == again.weights(), damage)
	}
}

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
	run := func(fits int) (distillation.Trained, []float64, []string, error) {
		w.CopyFrom(torch.From([]float64{1, -2, 3, .5}, torch.CPU))
		var notes []string
		o := distillation.Options{Steps: 3, LR: .1, Pieces: 4, Note: func(text string) { notes = append(notes, text) }}
		told, err := distillation.Train(context.Background(), []*torch.Tensor{w}, o, func(at distillation.At, _ func(func())) (*torch.Tensor, error) {
			n := 4 / at.Pieces
			if n > fits {
				panic(&torch.Error{Op: "matmul", Kind: torch.KindMemory, Message: "no room for 64 bytes"})
			}
			part := w.Slice(0, at.Piece*n, (at.Piece+1)*n)
			return part.Mul(part).Sum(), nil
		})
		return told, w.Floats(), notes, err
	}
	told, want, notes, err := run(4)
	require.NoError(t, err)
	assert.Equal(t, 1, told.Pieces)
	assert.Empty(t, notes)
	told, got, notes, err := run(1)
	require.NoError(t, err)
	assert.Equal(t, 4, told.Pieces)
	assert.InDeltaSlice(t, want, got, 1e-12)
	require.Len(t, notes, 2)
	assert.Contains(t, notes[0], "batches are computed in 2 pieces from now on")
	_, _, _, err = run(0)
	assert.ErrorContains(t, err, "not enough memory, even for one picture at a time")
	assert.ErrorContains(t, err, "no room for 64 bytes")
}

// The pieces of a batch add up to its loss, whatever rows have an answer of the data's.
func TestPiecesAddUp(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		g := torch.NewGenerator(3)
		student, teacher := g.Randn(6, 5).To(torch.Float64).SetRequiresGrad(true), g.Randn(6, 5).To(torch.Float64)
		targets := torch.From([]int64{0, 1, 2, 3, 4, 0}, torch.CPU)
		l := distillation.Loss{KL: 1, Temperature: 2, Pair: .7, CE: .3}
		labelled := torch.From([]int64{0, 2, 3}, torch.CPU)
		whole := l.Of(student, teacher, targets, labelled)
		whole.Backward()
		want := torch.Values[float64](student.Grad())
		student.SetGrad(nil)
		var sum float64
		for i, own := range [][]int64{{0}, {0, 1}, {}} { // of rows 0–1, 2–3, 4–5
			piece := l.OfPiece(student.Slice(0, 2*i, 2*i+2), teacher.Slice(0, 2*i, 2*i+2), targets.Slice(0, 2*i, 2*i+2),
				torch.From(own, torch.CPU, len(own)), distillation.Rows{All: 6, Labelled: 3})
			piece.Backward()
			sum += piece.Item()
		}
		assert.InDelta(t, whole.Item(), sum, 1e-12)
		assert.InDeltaSlice(t, want, torch.Values[float64](student.Grad()), 1e-12)
	})
}
