package torch_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

func TestTwoOperands(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		a := floats(on, []int{2, 2}, 1, 2, 3, 4)
		b := floats(on, []int{2}, 4, 2) // broadcast over rows
		p, q := torch.From([]bool{true, true, false, false}, on), torch.From([]bool{true, false, true, false}, on)
		s := []int{2, 2}
		checkOps(t, on, []opCase{
			{"Add", a.Add(b), f32, s, list(5, 4, 7, 6)},
			{"Sub", a.Sub(b), f32, s, list(-3, 0, -1, 2)},
			{"Mul", a.Mul(b), f32, s, list(4, 4, 12, 8)},
			{"Div", a.Div(b), f32, s, list(.25, 1, .75, 2)},
			{"Minimum", a.Minimum(b), f32, s, list(1, 2, 3, 2)},
			{"Eq", a.Eq(b), yes, s, list(0, 1, 0, 0)},
			{"Le", a.Le(b), yes, s, list(1, 1, 1, 0)},
			{"And", p.And(q), yes, []int{4}, list(1, 0, 0, 0)},
			{"Or", p.Or(q), yes, []int{4}, list(1, 1, 1, 0)},
			{"Add promotes", torch.FromInts([]int{1, 2}, on).Add(b), f32, []int{2}, list(5, 4)},
		})
	})
}

func TestMatMul(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		a := floats(on, []int{2, 3}, 1, 2, 3, 4, 5, 6)
		b := floats(on, []int{3, 2}, 1, 0, 0, 1, 2, -1)
		batch := torch.Cat(0, a, a.MulScalar(2)).Reshape(2, 2, 3)
		checkOps(t, on, []opCase{
			{"matrices", a.MatMul(b), f32, []int{2, 2}, list(7, -1, 16, -1)},
			{"batch", batch.MatMul(b), f32, []int{2, 2, 2}, list(7, -1, 16, -1, 14, -2, 32, -2)},
			{"vector", a.MatMul(b.Select(1, 0)), f32, []int{2}, list(7, 16)},
		})
	})
}

func TestWithScalar(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		a := floats(on, []int{3}, -1, 2, 4)
		s := []int{3}
		checkOps(t, on, []opCase{
			{"AddScalar", a.AddScalar(.5), f32, s, list(-.5, 2.5, 4.5)},
			{"MulScalar", a.MulScalar(-3), f32, s, list(3, -6, -12)},
			{"EqScalar", a.EqScalar(2), yes, s, list(0, 1, 0)},
			{"LtScalar", a.LtScalar(2), yes, s, list(1, 0, 0)},
			{"GtScalar", a.GtScalar(2), yes, s, list(0, 0, 1)},
			{"ClampMin", a.ClampMin(3), f32, s, list(3, 3, 4)},
		})
	})
}

func TestOneOperand(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		a := floats(on, []int{3}, -1, 0, 4)
		positive := floats(on, []int{3}, .25, 1, 4)
		odd := floats(on, []int{4}, 1, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()))
		s := []int{3}
		checkOps(t, on, []opCase{
			{"Neg", a.Neg(), f32, s, list(1, 0, -4)},
			{"Abs", a.Abs(), f32, s, list(1, 0, 4)},
			{"Exp", a.Exp(), f32, s, list(1/math.E, 1, math.Exp(4))},
			{"Log", positive.Log(), f32, s, list(-2*math.Ln2, 0, 2*math.Ln2)},
			{"Sqrt", positive.Sqrt(), f32, s, list(.5, 1, 2)},
			{"Rsqrt", positive.Rsqrt(), f32, s, list(2, 1, .5)},
			{"Cos", a.Cos(), f32, s, list(math.Cos(1), 1, math.Cos(4))},
			{"Sin", a.Sin(), f32, s, list(-math.Sin(1), 0, math.Sin(4))},
			{"IsFinite", odd.IsFinite(), yes, []int{4}, list(1, 0, 0, 0)},
			{"Not", a.Not(), yes, s, list(0, 1, 0)},
		})
	})
}

func TestInPlace(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		a := floats(on, []int{2, 2}, 1, 2, 3, 4)
		view := a.Select(0, 1)
		require.Same(t, a, a.CopyFrom(torch.FromInts([]int{7, 8}, on))) // broadcast and converted
		torchtest.Values(t, a, []int{2, 2}, 7, 8, 7, 8)
		require.Same(t, a, a.Fill(3))
		torchtest.Values(t, view, []int{2}, 3, 3) // the same memory all along
	})
}

// A sum beyond the dtype is no reason to call its numbers infinite.
func TestAllFinite(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		for _, d := range []torch.DType{torch.Float32, torch.BFloat16, torch.Float16, torch.Float64} {
			ones := torch.Ones([]int{300, 300}, d, on)
			require.True(t, ones.MulScalar(6e4).AllFinite(), d) // in float16 the sum is infinite
			for _, odd := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
				x := ones.Clone()
				x.Select(0, 299).Select(0, 7).CopyFrom(torch.Full(nil, odd, d, on))
				require.False(t, x.AllFinite(), "%v %v", d, odd)
			}
			both := ones.Clone()
			both.Select(0, 0).CopyFrom(torch.Full([]int{300}, math.Inf(1), d, on))
			both.Select(0, 1).CopyFrom(torch.Full([]int{300}, math.Inf(-1), d, on))
			require.False(t, both.AllFinite(), d)
		}
	})
}
