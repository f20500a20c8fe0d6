package distillation_test

import (
	"context"
	"math"
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
	m, io := modeltest.RefTiny(t), modeltest.RefTinyFile(t, "io")
	after := modeltest.RefTinyFile(t, "adamw_3_steps")
	var losses []float64
	o := distillation.Options{Steps: 3, LR: 1e-2, WeightDecay: .05, DecayAll: true, Clip: 1,
		Progress: func(_ int, loss float64) { losses = append(losses, loss) }}
	require.NoError(t, distillation.Train(context.Background(), m.Store().Tensors(), o, func(int, int, func(func())) (*torch.Tensor, error) {
		teacher, targets := scored(io, "teacher_logits")
		logits := m.Logits(modeltest.RefTinyBatch(t, io, 0, 4, false))
		return distillation.Loss{KL: 1, Pair: 1}.Of(logits, teacher, targets, nil), nil
	}))
	for i, want := range after["_losses"].Floats() {
		assert.InDelta(t, want, losses[i], 1e-4*want, "loss of step %d", i+1)
	}
	for name, want := range modeltest.Rename(t, after) {
		if strings.HasSuffix(name, "k_proj.bias") || strings.HasSuffix(name, "key.bias") {
			continue // their true gradient is zero: AdamW divides rounding by rounding
		}
		got := m.Store().Param(name).T()
		if name == "vision_model.encoder.layers.0.self_attn.qkv.bias" || strings.HasSuffix(name, "qkv.bias") {
			n := got.Count() / 3 // the middle third is the keys'
			torchtest.Within(t, want.Detach().Narrow(0, 0, n).Clone().Release(), got.Detach().Narrow(0, 0, n).Clone().Release(), 1e-4, 0, name)
			torchtest.Within(t, want.Detach().Narrow(0, 2*n, n).Clone().Release(), got.Detach().Narrow(0, 2*n, n).Clone().Release(), 1e-4, 0, name)
			continue
		}
		torchtest.Within(t, want, got, 1e-4, 0, name)
	}
}

func TestAccumulationAveragesParts(t *testing.T) {
	torchtest.Setup(t)
	run := func(accumulate int) []float64 {
		w := torch.From([]float32{1, -2}, torch.CPU)
		defer w.Free()
		o := distillation.Options{Steps: 4, LR: .1, Accumulate: accumulate}
		require.NoError(t, distillation.Train(context.Background(), []*torch.Tensor{w}, o, func(_, part int, _ func(func())) (*torch.Tensor, error) {
			if accumulate == 1 {
				return w.Mul(w).Sum(), nil
			}
			// Unequal parts whose mean is the whole.
			return w.Select(0, part).Mul(w.Select(0, part)).MulScalar(2).Sum(), nil
		}))
		return w.Floats()
	}
	assert.Equal(t, run(1), run(2))
}

func TestTrainStops(t *testing.T) {
	torchtest.Setup(t)
	w := torch.From([]float32{1}, torch.CPU)
	defer w.Free()
	err := distillation.Train(context.Background(), []*torch.Tensor{w}, distillation.Options{Steps: 2, LR: 1},
		func(int, int, func(func())) (*torch.Tensor, error) { return w.MulScalar(math.NaN()).Sum(), nil })
	require.ErrorIs(t, err, distillation.ErrDiverged)
	assert.ErrorContains(t, err, "step 1")
	ctx, cancel := context.WithCancel(context.Background())
	steps := 0
	err = distillation.Train(ctx, []*torch.Tensor{w}, distillation.Options{Steps: 5, LR: 1e-3, Progress: func(step int, _ float64) {
		if steps = step; step == 2 {
			cancel()
		}
	}}, func(int, int, func(func())) (*torch.Tensor, error) { return w.Mul(w).Sum(), nil })
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 2, steps)
	assert.False(t, w.RequiresGrad(), "as before")
}

func TestOutputsAreKeptOnce(t *testing.T) {
	torchtest.Setup(t)
	m, io := modeltest.RefTiny(t), modeltest.RefTinyFile(t, "io")
	path := filepath.Join(t.TempDir(), "outputs.safetensors")
	require.NoError(t, distillation.WriteOutputs(path, m, func(yield func(*model.Batch) error) error {
		return torch.Run(func(*torch.Scope) error {
			for i := range 2 {
				if err := yield(modeltest.RefTinyBatch(t, io, 2*i, 2*i+2, false)); err != nil {
					return err
				}
			}
			return nil
		})
	}))
	o, err := distillation.OpenOutputs(path, m)
	require.NoError(t, err)
	defer o.Close()
	assert.Equal(t, 4, o.Pictures())
	require.NoError(t, torch.Run(func(*torch.Scope) error {
		torch.NoGrad(func() {
			third, second := modeltest.RefTinyBatch(t, io, 2, 3, false), modeltest.RefTinyBatch(t, io, 1, 2, false)
			want := torch.Cat(0, m.Logits(third), m.Logits(second))
			torchtest.Within(t, want, o.Logits([]int{2, 1}, torch.CPU), 1e-3, 0)
		})
		return nil
	}))
}
