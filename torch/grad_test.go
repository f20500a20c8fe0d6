package torch_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

// leaf is a float32 parameter.
func leaf(on torch.Device, shape []int, values ...float32) *torch.Tensor {
	return floats(on, shape, values...).SetRequiresGrad(true)
}

func TestBackward(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		x, w := leaf(on, []int{3}, 1, 2, 3), leaf(on, []int{3}, 4, 5, 6)
		frozen := floats(on, []int{3}, 1, 1, 1)
		require.Nil(t, x.Grad())
		x.Mul(w).Mul(frozen).Sum().Backward()
		torchtest.Values(t, x.Grad(), []int{3}, 4, 5, 6)
		torchtest.Values(t, w.Grad(), []int{3}, 1, 2, 3)
		require.Nil(t, frozen.Grad())
		x.Mul(x).Sum().Backward() // adds 2x
		torchtest.Values(t, x.Grad(), []int{3}, 6, 9, 12)
		x.SetGrad(frozen)
		torchtest.Values(t, x.Grad(), []int{3}, 1, 1, 1)
		x.SetGrad(nil)
		require.Nil(t, x.Grad())
	})
}

func TestBackwardErrors(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		x := leaf(torch.CPU, []int{2}, 1, 2)
		requireError(t, torch.KindRuntime, "grad can be implicitly created only for scalar outputs", func() { x.MulScalar(2).Backward() })
		requireError(t, torch.KindRuntime, "does not require grad", func() { x.Detach().Sum().Backward() })
		loss := x.Mul(x).Sum()
		loss.Backward()
		requireError(t, torch.KindRuntime, "second time", func() { loss.Backward() })
		requireError(t, torch.KindRuntime, "floating point", func() { torch.Arange(0, 2, torch.CPU).SetRequiresGrad(true) })
	})
}

func TestRequiresGrad(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		x := floats(torch.CPU, []int{2}, 1, 2)
		require.False(t, x.RequiresGrad())
		require.Same(t, x, x.SetRequiresGrad(true))
		require.True(t, x.RequiresGrad())
		require.True(t, x.MulScalar(2).RequiresGrad())
		require.False(t, x.Detach().RequiresGrad())
		require.False(t, x.SetRequiresGrad(false).RequiresGrad())
	})
}

func TestNoGrad(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		x := leaf(torch.CPU, []int{1}, 1)
		require.True(t, torch.GradEnabled())
		torch.NoGrad(func() {
			require.False(t, torch.GradEnabled())
			require.False(t, x.MulScalar(2).RequiresGrad())
			torch.NoGrad(func() {})
			require.False(t, torch.GradEnabled(), "still inside of the outer one")
			x.CopyFrom(x.MulScalar(3)) // a leaf may be written to
		})
		require.True(t, torch.GradEnabled())
		torchtest.Values(t, x, []int{1}, 3)
		require.Panics(t, func() { torch.NoGrad(func() { x.Reshape(5) }) })
		require.True(t, torch.GradEnabled(), "also after a panic")
		torch.NoGrad(func() {
			require.NoError(t, torch.Run(func(*torch.Scope) error {
				require.False(t, torch.GradEnabled(), "Run inherits it")
				return nil
			}))
		})
	})
}

func TestInference(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		x := leaf(torch.CPU, []int{2}, 1, 2)
		var made *torch.Tensor
		torch.Inference(func() {
			require.False(t, torch.GradEnabled())
			torch.Inference(func() {})
			require.False(t, torch.GradEnabled(), "still inside of the outer one")
			require.NoError(t, torch.Run(func(*torch.Scope) error {
				require.False(t, torch.GradEnabled(), "Run inherits it")
				return nil
			}))
			made = torch.Inner(func(*torch.Scope, []*torch.Tensor) *torch.Tensor { return x.MulScalar(3) })
			require.Equal(t, []float64{3, 6}, made.Floats())
		})
		require.True(t, torch.GradEnabled())
		require.True(t, x.MulScalar(2).RequiresGrad())
		requireError(t, torch.KindRuntime, "Inference tensors cannot be saved for backward", func() { x.Mul(made) })
		require.Panics(t, func() { torch.Inference(func() { x.Reshape(5) }) })
		require.True(t, x.MulScalar(2).RequiresGrad(), "also after a panic")
	})
}

func TestAutocast(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		x, w := floats(on, []int{2, 2}, 1, 2, 3, 4), leaf(on, []int{2, 2}, 1, 0, 0, 1)
		product := func() torch.DType { return x.MatMul(w).DType() }
		torch.Autocast(on, torch.BFloat16, func() {
			require.Equal(t, torch.BFloat16, product())
			require.Equal(t, torch.Float32, x.Add(w).DType(), "additions keep their dtype")
			if on != torch.CPU {
				torch.Autocast(on, torch.Float16, func() { require.Equal(t, torch.Float16, product()) })
			} else {
				torch.Autocast(on, torch.BFloat16, func() { require.Equal(t, torch.BFloat16, product()) })
			}
			require.Equal(t, torch.BFloat16, product(), "still inside of the outer one")
		})
		require.Equal(t, torch.Float32, product())
		require.Panics(t, func() { torch.Autocast(on, torch.BFloat16, func() { x.Reshape(5) }) })
		require.Equal(t, torch.Float32, product(), "also after a panic")
	})
}

// Autocast keeps the casted weights while it is on: a step of the optimizer in between must not be missed.
func TestAutocastForgetsWeights(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		x, w := floats(on, []int{1, 1}, 1), leaf(on, []int{1, 1}, 2)
		y := func() (y float64) {
			torch.Autocast(on, torch.BFloat16, func() { y = x.MatMul(w).Item() })
			return y
		}
		require.Equal(t, 2., y())
		torch.NoGrad(func() { w.Fill(3) })
		require.Equal(t, 3., y())
	})
}
