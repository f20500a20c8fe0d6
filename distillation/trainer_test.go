package distillation_test

import (
	"context"
	"math"
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
			return distillation.Loss{KL: 1, Pair: 1}.Of(logits, distillation.Logits(teacher.To(d)), targets, nil), nil
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

// A training that cannot begin leaves the parameters as they were.
func TestTrainingThatCannotBegin(t *testing.T) {
	torchtest.Setup(t)
	w, gone := torch.From([]float32{1}, torch.CPU), torch.From([]float32{1}, torch.CPU)
	defer w.Free()
	gone.Free()
	_, err := distillation.Train(context.Background(), []*torch.Tensor{w, gone}, distillation.Options{Steps: 1}, nil)
	require.ErrorContains(t, err, "the optimizer's state")
	assert.False(t, w.RequiresGrad())
}

func second[T any](_ T, err error) error { return err }
