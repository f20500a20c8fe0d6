package torch_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

func TestLayers(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		x := floats(on, []int{2, 2}, 1, 2, 3, 4)
		w := floats(on, []int{3, 2}, 1, 0, 0, 1, 1, -1) // [out, in]
		b := floats(on, []int{3}, 10, 20, 30)
		// rows of mean 2 and 6 and variance 1 and 4: (x - mean)/deviation is ±1
		row := floats(on, []int{2, 2}, 1, 3, 8, 4)
		two, shift := floats(on, []int{2}, 2, 2), floats(on, []int{2}, .5, 0)
		table := floats(on, []int{3, 2}, 1, 2, 3, 4, 5, 6)
		checkOps(t, on, []opCase{
			{"Linear", x.Linear(w, b), f32, []int{2, 3}, list(11, 22, 29, 13, 24, 29)},
			{"Linear without bias", x.Linear(w, nil), f32, []int{2, 3}, list(1, 2, -1, 3, 4, -1)},
			{"LayerNorm", row.LayerNorm(two, shift, 0), f32, []int{2, 2}, list(-1.5, 2, 2.5, -2)},
			{"LayerNorm without bias", row.LayerNorm(two, nil, 0), f32, []int{2, 2}, list(-2, 2, 2, -2)},
			{"LayerNorm's eps", row.LayerNorm(two, nil, 3), f32, []int{2, 2}, list(-1, 1, 4/math.Sqrt(7), -4/math.Sqrt(7))},
			{"Embedding", torch.Embedding(table, torch.From([]int64{2, 0, 0, 1}, on, 2, 2)), f32, []int{2, 2, 2},
				list(5, 6, 1, 2, 1, 2, 3, 4)},
		})
	})
}

func TestConv2D(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		picture := torch.Arange(0, 16, on).To(torch.Float32).Reshape(1, 1, 4, 4)
		kernels := floats(on, []int{2, 1, 2, 2}, 1, 1, 1, 1, 0, 0, 0, 1) // the sum of a patch; its last pixel
		bias := floats(on, []int{2}, .5, 0)
		checkOps(t, on, []opCase{
			{"stride 2", picture.Conv2D(kernels, bias, 2), f32, []int{1, 2, 2, 2}, list(10.5, 18.5, 42.5, 50.5, 5, 7, 13, 15)},
			{"without bias", picture.Conv2D(kernels, nil, 3), f32, []int{1, 2, 1, 1}, list(10, 5)},
		})
	})
}

func TestActivations(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		x := floats(on, []int{3}, -1, 0, 2)
		s := []int{3}
		phi := func(x float64) float64 { return x * .5 * (1 + math.Erf(x/math.Sqrt2)) }
		approx := func(x float64) float64 {
			return .5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+.044715*x*x*x)))
		}
		sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
		checkOps(t, on, []opCase{
			{"ReLU", x.ReLU(), f32, s, list(0, 0, 2)},
			{"SiLU", x.SiLU(), f32, s, list(-sigmoid(-1), 0, 2*sigmoid(2))},
			{"Softplus", x.Softplus(), f32, s, list(math.Log1p(math.Exp(-1)), math.Ln2, math.Log1p(math.Exp(2)))},
			{"GELU", x.GELU(false), f32, s, list(phi(-1), 0, phi(2))},
			{"GELU of T5", x.GELU(true), f32, s, list(approx(-1), 0, approx(2))},
		})
	})
}

func TestSoftmaxAndLoss(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		ln := func(x float64) float32 { return float32(math.Log(x)) }
		x := floats(on, []int{2, 2}, ln(1), ln(3), ln(1), ln(1)) // shares 1/4, 3/4 and 1/2, 1/2
		checkOps(t, on, []opCase{
			{"Softmax", x.Softmax(-1), f32, []int{2, 2}, list(.25, .75, .5, .5)},
			{"Softmax of columns", x.Softmax(0), f32, []int{2, 2}, list(.5, .75, .5, .25)},
			{"LogSoftmax", x.LogSoftmax(1), f32, []int{2, 2}, list(-math.Log(4), math.Log(.75), -math.Ln2, -math.Ln2)},
			{"CrossEntropy", x.CrossEntropy(torch.FromInts([]int{1, 0}, on)), f32, nil, list((math.Ln2 - math.Log(.75)) / 2)},
		})
	})
}

func TestAttention(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		// One head of size 1, two queries, three keys. With scale ln 2 and q = 1, the weights are 2^k: 1, 2, 4 of 7.
		q := floats(on, []int{1, 1, 2, 1}, 1, 0)
		k := floats(on, []int{1, 1, 3, 1}, 0, 1, 2)
		v := floats(on, []int{1, 1, 3, 1}, 7, 14, 21)
		seen := torch.From([]bool{true, true, false, false, false, true}, on, 1, 1, 2, 3)
		added := floats(on, []int{1, 3}, 0, 0, float32(math.Inf(-1)))
		s := []int{1, 1, 2, 1}
		checkOps(t, on, []opCase{
			{"no mask", torch.ScaledDotProductAttention(q, k, v, nil, math.Ln2), f32, s, list(7./7+2*14./7+4*21./7, 14)},
			{"bool mask", torch.ScaledDotProductAttention(q, k, v, seen, math.Ln2), f32, s, list((7+2*14)/3., 21)},
			{"added mask", torch.ScaledDotProductAttention(q, k, v, added, math.Ln2), f32, s, list((7+2*14)/3., 10.5)},
		})
	})
}

// On the CPU, autocast stops before attention, whatever the dtype of what went before.
func TestAttentionUnderAutocast(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		x := leaf(torch.CPU, []int{1, 1, 2, 1}, 1, 0)
		added := torch.Zeros([]int{2, 2}, torch.BFloat16, torch.CPU)
		torch.Autocast(torch.CPU, torch.BFloat16, func() {
			for _, mask := range []*torch.Tensor{nil, added, added.Not()} {
				q := x.MatMul(torch.Ones([]int{1, 1}, torch.Float32, torch.CPU))
				require.Equal(t, torch.BFloat16, q.DType())
				out := torch.ScaledDotProductAttention(q, q, q, mask, math.Ln2)
				torchtest.Values(t, out, []int{1, 1, 2, 1}, 2/3., .5)
				require.Equal(t, torch.Float32, out.DType())
				require.Equal(t, torch.BFloat16, out.MatMul(out.Transpose(2, 3)).DType(), "and goes on behind it")
				out.Sum().Backward()
			}
		})
		require.Equal(t, torch.Float32, x.Grad().DType())
	})
}

// A GPU's matrix units can round float32 operands to 11 bits (TF32), which libtorch allows for convolutions by default.
func TestFloat32KeepsItsBits(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		g := torch.NewGenerator(1)
		x, w := g.Randn(8, 3, 48, 48).ToDevice(on), g.Randn(64, 3, 8, 8).ToDevice(on)
		torchtest.Within(t, x.To(torch.Float64).Conv2D(w.To(torch.Float64), nil, 8), x.Conv2D(w, nil, 8), 1e-5, 0, "conv2d")
		a, b := g.Randn(256, 256).ToDevice(on), g.Randn(256, 256).ToDevice(on)
		torchtest.Within(t, a.To(torch.Float64).MatMul(b.To(torch.Float64)), a.MatMul(b), 1e-5, 0, "matmul")
	})
}

// A kernel that takes one operand's sizes from another's would read past its end.
func TestAttentionRefusesOtherTokens(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		tokens := func(n int) *torch.Tensor { return torch.Ones([]int{1, 2, n, 4}, torch.Float32, on) }
		for _, n := range []int{4, 6, 500_000} {
			for _, cast := range []func(*torch.Tensor) *torch.Tensor{
				func(x *torch.Tensor) *torch.Tensor { return x }, func(x *torch.Tensor) *torch.Tensor { return x.To(torch.BFloat16) },
			} {
				requireError(t, torch.KindRuntime, "are not of the same tokens", func() {
					torch.ScaledDotProductAttention(cast(tokens(3)), cast(tokens(5)), cast(tokens(n)), nil, 1)
				})
				requireError(t, torch.KindRuntime, "are not of the same tokens", func() {
					torch.ScaledDotProductAttention(cast(tokens(3)), cast(tokens(n)), cast(tokens(5)), nil, 1)
				})
			}
		}
	})
}
