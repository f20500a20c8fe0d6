package distillation_test

import (
	"context"
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

// Three steps of AdamW on KL + pairwise must end at the reference's weights. (The reference decays all parameters.)
func TestThreeStepsEqualReference(t *testing.T) {
	torchtest.Setup(t)
	io, want := modeltest.RefTinyFile(t, "io"), modeltest.RefTinyParameters(t, "adamw_3_steps")
	steps := modeltest.ReadTruth(t, modeltest.Folder("ref_tiny"), "adamw_3_steps", "adamw_3_steps")
	modeltest.InBoth(t, modeltest.RefTiny(t), func(t *testing.T, m *model.Blip2) {
		d := m.Store().Params()[0].T().DType()
		var losses []float64
		o := distillation.Options{Steps: 3, LR: 1e-2, WeightDecay: .05, DecayAll: true, Clip: 1,
			Progress: func(_ int, loss float64) { losses = append(losses, loss) }}
		require.NoError(t, second(distillation.Train(context.Background(), m.Store().Tensors(), o, func(distillation.At, func(func())) (*torch.Tensor, error) {
			teacher, targets := scored(io, io["teacher_logits"])
			logits := m.Logits(modeltest.RefTinyBatch(t, io, 0, 4, false))
			return distillation.Loss{KL: 1, Pair: 1}.Of(logits, teacher.To(d), targets, nil), nil
		})))
		require.NoError(t, torch.Run(func(*torch.Scope) error {
			steps.Check(t, "_losses", torch.From(losses, torch.CPU).To(d))
			return nil
		}))
		require.Len(t, m.Store().Params(), len(want.Values))
		for _, p := range m.Store().Params() {
			switch n := p.Count() / 3; {
			case strings.HasSuffix(p.Name, "k_proj.bias") || strings.HasSuffix(p.Name, "key.bias"):
				// Its true gradient is zero: AdamW divides rounding by rounding.
			case strings.HasSuffix(p.Name, "qkv.bias"): // and so is that of the middle third
				want.CheckPart(t, p.Name, p.T(), 0, n)
				want.CheckPart(t, p.Name, p.T(), 2*n, n)
			default:
				want.Check(t, p.Name, p.T())
			}
		}
	})
}

func TestAccumulationAveragesParts(t *testing.T) {
	torchtest.Setup(t)
	run := func(accumulate int) []float64 {
		w := torch.From([]float32{1, -2}, torch.CPU)
		defer w.Free()
		o := distillation.Options{Steps: 4, LR: .1, Accumulate: accumulate}
		require.NoError(t, second(distillation.Train(context.Background(), []*torch.Tensor{w}, o, func(at distillation.At, _ func(func())) (*torch.Tensor, error) {
			if accumulate == 1 {
				return w.Mul(w).Sum(), nil
			}
			// Unequal parts whose mean is the whole.
			return w.Select(0, at.Part).Mul(w.Select(0, at.Part)).MulScalar(2).Sum(), nil
		})))
		return w.Floats()
	}
	assert.Equal(t, run(1), run(2))
}

func TestTrainStops(t *testing.T) {
	torchtest.Setup(t)
	w := torch.From([]float32{1}, torch.CPU)
	defer w.Free()
	_, err := distillation.Train(context.Background(), []*torch.Tensor{w}, distillation.Options{Steps: 2, LR: 1},
		func(distillation.At, func(func())) (*torch.Tensor, error) { return w.MulScalar(math.NaN()).Sum(), nil })
	var lost *distillation.Diverged
	require.ErrorAs(t, err, &lost)
	assert.ErrorContains(t, err, "step 1")
	ctx, cancel := context.WithCancel(context.Background())
	steps := 0
	_, err = distillation.Train(ctx, []*torch.Tensor{w}, distillation.Options{Steps: 5, LR: 1e-3, Progress: func(step int, _ float64) {
		if steps = step; step == 2 {
			cancel()
		}
	}}, func(distillation.At, func(func())) (*torch.Tensor, error) { return w.Mul(w).Sum(), nil })
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 2, steps)
	assert.False(t, w.RequiresGrad(), "as before")
}

func TestOutputsAreKeptOnce(t *testing.T) {
	torchtest.Setup(t)
	m, io := modeltest.RefTiny(t), modeltest.RefTinyFile(t, "io")
	path := t.TempDir()
	write := func(path string, keep distillation.Keep, stop error) error {
		return distillation.WriteOutputs(path, m, keep, func(from int, yield func(*model.Batch) error) error {
			return torch.Run(func(*torch.Scope) error {
				for i := from; i < 4; i += 2 {
					if i == 2 && stop != nil {
						return stop
					}
					if err := yield(modeltest.RefTinyBatch(t, io, i, i+2, false)); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	require.NoError(t, write(path, distillation.Keep{}, nil))

	// Interrupted between batches, the same files come out, and what was computed is not computed again.
	again, keep := t.TempDir(), distillation.Keep{Folder: filepath.Join(t.TempDir(), "state")}
	require.ErrorIs(t, write(again, keep, context.Canceled), context.Canceled)
	require.ErrorIs(t, write(again, keep, context.Canceled), context.Canceled)
	require.NoError(t, write(again, keep, nil))
	for _, name := range []string{"outputs.rows", "outputs.json"} {
		want, err := os.ReadFile(filepath.Join(path, name))
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(again, name))
		require.NoError(t, err)
		assert.Equal(t, want, got, name)
	}

	o, err := distillation.OpenOutputs(path, func() (func(*torch.Tensor) *torch.Tensor, error) { return m.Head, nil })
	require.NoError(t, err)
	defer o.Close()
	assert.Equal(t, 4, o.Pictures())
	require.NoError(t, torch.Run(func(*torch.Scope) error {
		torch.NoGrad(func() {
			third, second := modeltest.RefTinyBatch(t, io, 2, 3, false), modeltest.RefTinyBatch(t, io, 1, 2, false)
			want := torch.Cat(0, m.Logits(third), m.Logits(second))
			torchtest.Within(t, want, o.Logits([]int{2, 1}, torch.CPU), 1./1024, 0, "float16 rounds to 11 bits")
		})
		return nil
	}))
	// A file that shrinks under a run is an error that names it.
	require.NoError(t, os.Truncate(filepath.Join(path, "outputs.rows"), 10))
	err = torch.Run(func(*torch.Scope) error {
		o.Logits([]int{3}, torch.CPU)
		return nil
	})
	require.ErrorContains(t, err, "outputs.rows cannot be read")
	_, err = distillation.OpenOutputs(path, nil)
	require.ErrorContains(t, err, "has 10 bytes")
}

func second[T any](_ T, err error) error { return err }
