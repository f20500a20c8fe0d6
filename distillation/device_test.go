package distillation_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/distillation"
	"espalier/model"
	"espalier/model/modeltest"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// On every device training against kept outputs ends at the weights of the CPU; in float64, where rounding is too small
// to turn the sign of a gradient that is zero in truth.
func TestDevicesTrainAlike(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		m := modeltest.Family(t, "blip2_t5")
		trained := func(on torch.Device) map[string]*torch.Tensor {
			teacher, student := convert(t, m, on), convert(t, m, on)
			outputs := keptOutputs(t, teacher)
			o := distillation.Options{Steps: 3, LR: 1e-3, WeightDecay: .05, Clip: 1, Device: on}
			_, err := distillation.Train(context.Background(), student.Store().Tensors(), o, func(_ distillation.At, _ func(func())) (*torch.Tensor, error) {
				b, err := asked64(student)
				if err != nil {
					return nil, err
				}
				kept := distillation.Logits(outputs.Teacher([]int{0, 1}, on).Logits().To(torch.Float64))
				loss := distillation.Loss{KL: 1, Pair: 1, CE: 1, Temperature: 2}
				return loss.Of(student.Logits(b), kept, b.Targets, nil), nil
			})
			require.NoError(t, err)
			return student.Store().Named()
		}
		want, got := trained(torch.CPU), trained(on)
		for name, w := range want {
			require.Equal(t, on, got[name].Device())
			torchtest.Within(t, w, got[name], 1e-9, 1e-10, name)
		}
	})
}

// A step in half precision comes near the loss of float32 and leaves float32 weights.
func TestDevicesTrainInHalfPrecision(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		m := modeltest.Family(t, "blip2_opt")
		loss := func(d torch.DType) (first float64) {
			n, err := model.Convert(m, torch.Float32, on)
			require.NoError(t, err)
			defer n.Store().Free()
			o := distillation.Options{Steps: 2, LR: 1e-4, Precision: d, Device: on, Progress: func(step int, loss float64) {
				if step == 1 {
					first = loss
				}
			}}
			require.NoError(t, second(distillation.Train(context.Background(), n.Store().Tensors(), o, func(_ distillation.At, cast func(func())) (*torch.Tensor, error) {
				b, err := modeltest.Ask(n)()
				if err != nil {
					return nil, err
				}
				var logits *torch.Tensor
				cast(func() { logits = n.Logits(b) })
				require.Equal(t, d, logits.DType())
				return distillation.CrossEntropy(logits, b.Targets), nil
			})))
			for _, p := range n.Store().Params() {
				require.Equal(t, torch.Float32, p.T().DType(), p.Name)
			}
			return first
		}
		full := loss(torch.Float32)
		require.InDelta(t, full, loss(torch.BFloat16), .05*full)
	})
}

func convert(t *testing.T, m model.Network, on torch.Device) model.Network {
	t.Helper()
	n, err := model.Convert(m, torch.Float64, on)
	require.NoError(t, err)
	t.Cleanup(n.Store().Free)
	return n
}

func asked64(n model.Network) (*model.Batch, error) {
	b, err := modeltest.Ask(n)()
	if err != nil {
		return nil, err
	}
	return b.PicturesTo(torch.Float64), nil
}

// keptOutputs are a network's outputs for the pictures of modeltest.Ask, by way of a file.
func keptOutputs(t *testing.T, n model.Network) *distillation.Outputs {
	t.Helper()
	path := t.TempDir()
	require.NoError(t, distillation.WriteOutputs(path, n, distillation.OutputForm{}, nil, distillation.Keep{}, nil, func(_ int, yield func(*model.Batch) error) error {
		return torch.Run(func(*torch.Scope) error {
			b, err := asked64(n)
			if err != nil {
				return err
			}
			return yield(b)
		})
	}))
	o, err := distillation.OpenOutputs(path, func() (func(*torch.Tensor) *torch.Tensor, error) { return n.Head, nil })
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, o.Close()) })
	return o
}
