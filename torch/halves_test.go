package torch_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

// inHalves holds an operation over halves against the same numbers in float64: the output and the gradients of all inputs, each of the inputs' dtype.
// Weights of the loss are whole numbers, which halves hold exactly.
func inHalves(t *testing.T, d torch.DType, f func(in []*torch.Tensor) *torch.Tensor, inputs ...*torch.Tensor) {
	t.Helper()
	run := func(as torch.DType) (all []*torch.Tensor) {
		var in []*torch.Tensor
		for _, x := range inputs {
			in = append(in, x.To(d).To(as).Detach().Clone().SetRequiresGrad(true))
		}
		out := f(in)
		g := torch.NewGenerator(5)
		weights := g.Randn(out.Shape()...).MulScalar(4).To(torch.Int64).To(as)
		out.Mul(weights).Sum().Backward()
		all = append(all, out.Detach())
		for _, x := range in {
			all = append(all, x.Grad())
		}
		return all
	}
	want := run(torch.Float64)
	for i, got := range run(d) {
		require.Equal(t, d, got.DType())
		torchtest.Within(t, want[i], got, torchtest.Tolerance(d), 0, "output and gradients: %d", i)
	}
}

// CPUs without AVX-512 have no products of halves in oneDNN: there they are ours, in float32.
func TestLinearOfHalves(t *testing.T) {
	for _, d := range []torch.DType{torch.BFloat16, torch.Float16} {
		for _, c := range []struct{ rows, in, out int }{{7, 20, 30}, {8, 16, 16}, {64, 40, 100}, {33, 1500, 3000}} { // the last in parts
			t.Run(fmt.Sprint(d, c), func(t *testing.T) {
				torchtest.Run(t, func(*torch.Scope) {
					g := torch.NewGenerator(3)
					x, w, b := g.Randn(1, c.rows, c.in), g.Randn(c.out, c.in).MulScalar(.1), g.Randn(c.out)
					inHalves(t, d, func(in []*torch.Tensor) *torch.Tensor { return in[0].Linear(in[1], in[2]) }, x, w, b)
					inHalves(t, d, func(in []*torch.Tensor) *torch.Tensor { return in[0].Transpose(0, 1).Linear(in[1], nil) }, x, w)
					inHalves(t, d, func(in []*torch.Tensor) *torch.Tensor {
						return in[1].Transpose(1, 2).Linear(in[0].Transpose(0, 1), nil)
					},
						w.Transpose(0, 1), x.Transpose(1, 2))
				})
			})
		}
	}
}

// What learns nothing keeps nothing, and gets no gradient.
func TestLinearOfFrozenHalves(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		g := torch.NewGenerator(4)
		x, w := g.Randn(20, 24).To(torch.BFloat16), g.Randn(32, 24).To(torch.BFloat16)
		frozen := w.Clone()
		x.SetRequiresGrad(true)
		x.Linear(frozen, nil).Sum().Backward()
		require.Nil(t, frozen.Grad())
		torchtest.Close(t, frozen.To(torch.Float64).Sum(0).Expand(20, 24), x.Grad())
		w.SetRequiresGrad(true)
		x.Detach().Linear(w, nil).Sum().Backward()
		torchtest.Close(t, x.Detach().To(torch.Float64).Sum(0).Expand(32, 24), w.Grad())
	})
}

func TestAttentionAndConvolutionOfHalves(t *testing.T) {
	for _, d := range []torch.DType{torch.BFloat16, torch.Float16} {
		t.Run(fmt.Sprint(d), func(t *testing.T) {
			torchtest.Run(t, func(*torch.Scope) {
				g := torch.NewGenerator(6)
				q, k, v, mask := g.Randn(2, 3, 9, 8), g.Randn(2, 3, 11, 8), g.Randn(2, 3, 11, 8), g.Randn(2, 1, 9, 11)
				inHalves(t, d, func(in []*torch.Tensor) *torch.Tensor {
					return torch.ScaledDotProductAttention(in[0], in[1], in[2], mask.To(in[0].DType()), .3)
				}, q, k, v)
				pictures, w, b := g.Randn(2, 3, 12, 12), g.Randn(6, 3, 4, 4).MulScalar(.2), g.Randn(6)
				inHalves(t, d, func(in []*torch.Tensor) *torch.Tensor { return in[0].Conv2D(in[1], in[2], 4) }, pictures, w, b)
			})
		})
	}
}

// Autocast rounds where it did, and parameters in float32 get gradients in float32.
func TestAutocastOfLayers(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		g := torch.NewGenerator(7)
		pictures, kernel := g.Randn(2, 3, 12, 12), g.Randn(32, 3, 4, 4).SetRequiresGrad(true)
		w, b := g.Randn(40, 32).SetRequiresGrad(true), g.Randn(40).SetRequiresGrad(true)
		run := func(d torch.DType) []*torch.Tensor {
			kernel.SetGrad(nil)
			w.SetGrad(nil)
			b.SetGrad(nil)
			var out *torch.Tensor
			forward := func() { out = pictures.Conv2D(kernel, nil, 4).Flatten(2, 3).Transpose(1, 2).Linear(w, b) }
			if d == torch.Float32 {
				forward()
			} else {
				torch.Autocast(torch.CPU, d, forward)
			}
			require.Equal(t, d, out.DType())
			out.To(torch.Float32).Sum().Backward()
			return []*torch.Tensor{out.Detach(), kernel.Grad(), w.Grad(), b.Grad()}
		}
		want := run(torch.Float32)
		for _, d := range []torch.DType{torch.BFloat16, torch.Float16} {
			for i, got := range run(d) {
				torchtest.Within(t, want[i], got, torchtest.Tolerance(d), 0, "%d", i)
				if i > 0 {
					require.Equal(t, torch.Float32, got.DType())
				}
			}
		}
	})
}
