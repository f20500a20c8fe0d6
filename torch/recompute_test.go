package torch_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

// chain is three blocks x → tanh-like(x·w + side) that count how often each runs; side enters every block.
type chain struct {
	weights []*torch.Tensor
	runs    []int
}

func newChain(on torch.Device, d torch.DType) *chain {
	c := &chain{runs: make([]int, 3)}
	g := torch.NewGenerator(5)
	for range c.runs {
		c.weights = append(c.weights, g.Randn(4, 4).MulScalar(.4).To(d).ToDevice(on).Detach().SetRequiresGrad(true))
	}
	return c
}

func (c *chain) forward(x, side *torch.Tensor) *torch.Tensor {
	for i, w := range c.weights {
		x = torch.Inner(func(_ *torch.Scope, in []*torch.Tensor) *torch.Tensor {
			c.runs[i]++
			return in[0].Linear(w, nil).Add(in[1]).GELU(true)
		}, x, side, nil)
	}
	return x
}

func TestRecomputeGivesTheSameGradients(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		gradients := func(recompute bool) (all []*torch.Tensor, runs []int) {
			c := newChain(on, torch.Float64)
			g := torch.NewGenerator(6)
			x := g.Randn(3, 4).To(torch.Float64).ToDevice(on).Detach().SetRequiresGrad(true)
			side := g.Randn(3, 4).To(torch.Float64).ToDevice(on).Detach().SetRequiresGrad(true)
			var y *torch.Tensor
			if recompute {
				torch.Recompute(func() { y = c.forward(x.MulScalar(2), side.MulScalar(3)) })
			} else {
				y = c.forward(x.MulScalar(2), side.MulScalar(3))
			}
			loss := y.Mul(y).Sum()
			loss.Backward()
			all = append(all, loss.Detach(), x.Grad(), side.Grad())
			for _, w := range c.weights {
				all = append(all, w.Grad())
			}
			return all, c.runs
		}
		want, once := gradients(false)
		got, twice := gradients(true)
		require.Equal(t, []int{1, 1, 1}, once)
		require.Equal(t, []int{2, 2, 2}, twice)
		for i := range want {
			require.NotZero(t, want[i].Abs().AMax().Item())
			torchtest.Close(t, want[i], got[i], i)
		}
	})
}

// A block whose inputs want no gradient still gives its weights theirs, and a frozen network none at all.
func TestRecomputeFromPlainInputs(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		c := newChain(on, torch.Float64)
		x := torch.Ones([]int{3, 4}, torch.Float64, on)
		var y *torch.Tensor
		torch.Recompute(func() { y = c.forward(x, x) })
		y.Sum().Backward()
		for _, w := range c.weights {
			require.NotNil(t, w.Grad())
		}
		require.Nil(t, x.Grad())
		torch.NoGrad(func() { torch.Recompute(func() { y = c.forward(x, x) }) })
		require.False(t, y.RequiresGrad())
	})
}

func TestRecomputeKeepsAutocast(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		gradient := func(recompute bool) *torch.Tensor {
			c := newChain(on, torch.Float32)
			x := torch.NewGenerator(6).Randn(3, 4).ToDevice(on)
			var y *torch.Tensor
			torch.Autocast(on, torch.BFloat16, func() {
				if recompute {
					torch.Recompute(func() { y = c.forward(x, x) })
				} else {
					y = c.forward(x, x)
				}
			})
			y.To(torch.Float32).Sum().Backward()
			return c.weights[0].Grad()
		}
		want, got := gradient(false), gradient(true)
		require.Equal(t, want.Floats(), got.Floats(), "the same roundings to bfloat16")
	})
}

func TestRecomputeFreesWhatABlockMakes(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		c := newChain(torch.CPU, torch.Float32)
		x := torch.Ones([]int{3, 4}, torch.Float32, torch.CPU)
		plain, kept := torch.LiveTensors(), 0
		c.forward(x, x)
		plain = torch.LiveTensors() - plain
		kept = torch.LiveTensors()
		torch.Recompute(func() { c.forward(x, x) })
		kept = torch.LiveTensors() - kept
		require.Equal(t, 9, plain, "three tensors of each block")
		require.Equal(t, 6, kept, "the output of each, with and without its graph")
	})
}

// What goes wrong in a block that is computed again comes back as the error of Backward.
func TestRecomputedBlockPanics(t *testing.T) {
	torchtest.Setup(t)
	first := true
	err := torch.Run(func(*torch.Scope) error {
		w := leaf(torch.CPU, []int{2, 2}, 1, 2, 3, 4)
		var y *torch.Tensor
		torch.Recompute(func() {
			y = torch.Inner(func(_ *torch.Scope, in []*torch.Tensor) *torch.Tensor {
				if first {
					first = false
					return in[0].Linear(w, nil)
				}
				return in[0].Linear(w.Narrow(1, 0, 1), nil)
			}, w)
		})
		y.Sum().Backward()
		return nil
	})
	require.ErrorContains(t, err, "a block computed again: torch: linear at torch/recompute_test.go")
}

// Weights in halves meet wider activations: both are brought to the wider dtype, also for the gradient.
func TestMixedFloats(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		for _, half := range []torch.DType{torch.Float16, torch.BFloat16} {
			w := floats(on, []int{2, 2}, 1, 2, 3, 4).To(half)
			b := floats(on, []int{2}, 1, 1).To(half)
			x := leaf(on, []int{1, 2}, .1, .7)
			y := x.Linear(w, b)
			require.Equal(t, torch.Float32, y.DType())
			torchtest.Values(t, y, []int{1, 2}, 2.5, 4.1)
			y.Sum().Backward()
			torchtest.Values(t, x.Grad(), []int{1, 2}, 4, 6)
			n := floats(on, []int{2}, 1, 3).LayerNorm(floats(on, []int{2}, 1, 2).To(half), b, 0)
			require.Equal(t, torch.Float32, n.DType())
			torchtest.Values(t, n, []int{2}, 0, 3)
			torchtest.Values(t, floats(on, []int{1, 2}, 1, 1).To(half).Linear(floats(on, []int{2, 2}, 1, 2, 3, 4), nil), []int{1, 2}, 3, 7)
		}
	})
}
