package torch_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

func TestAdamWStep(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		one := func(v float32) []*torch.Tensor { return []*torch.Tensor{floats(on, []int{1}, v)} }
		age := []*torch.Tensor{torch.Zeros(nil, torch.Float32, on)}
		w, m, v := one(10), one(0), one(0)
		// The first step of Adam is lr·sign(g), after the decay by lr·0.5·w: 10·(1 - .1·.5) - .1. The betas are numbers
		// that float32 holds: to those the kernel for GPUs rounds them.
		torch.AdamWStep(w, one(4), m, v, age, 1, .1, .75, .875, 0, .5)
		torchtest.Values(t, w[0], []int{1}, 9.4)
		torchtest.Values(t, m[0], []int{1}, 1)
		torchtest.Values(t, v[0], []int{1}, 2)
		torchtest.Values(t, age[0], nil, 1)
		torch.AdamWStep(nil, nil, nil, nil, nil, 1, .1, .9, .999, 0, .5)
		requireError(t, torch.KindRuntime, "lists of 0 and of 1 tensors", func() { torch.AdamWStep(w, nil, m, v, age, 1, .1, .9, .999, 0, .5) })
	})
}

func TestGatherGrads(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		for _, d := range []torch.DType{torch.Float32, torch.Float64} {
			worker := func(values ...float32) (params []*torch.Tensor) {
				for _, v := range values {
					p := torch.Zeros([]int{2}, d, on).SetRequiresGrad(true)
					if v != 0 {
						p.SetGrad(floats(on, []int{2}, v, -v).To(d))
					}
					params = append(params, p)
				}
				return params
			}
			own, second, third := worker(1, 2, 0, 0), worker(3, 0, 4, 0), worker(5, 0, 6, 0)
			norm := torch.GatherGrads(own, second, third)
			require.InDelta(t, math.Sqrt(2*(9*9+2*2+10*10)), norm, 1e-5)
			for i, want := range []float64{9, 2, 10} {
				torchtest.Values(t, own[i].Grad(), []int{2}, want, -want)
			}
			require.Nil(t, own[3].Grad())
			for _, p := range append(second, third...) {
				require.Nil(t, p.Grad())
			}
			require.InDelta(t, norm, torch.GatherGrads(own), 1e-5, "one alone")
			require.Zero(t, torch.GatherGrads(worker(0, 0), worker(0, 0)))
			require.Zero(t, torch.GatherGrads(nil))
			requireError(t, torch.KindRuntime, "each worker has as many", func() { torch.GatherGrads(own, second[:3]) })
		}
	})
}

func TestGatherGradsOfEverySize(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		g := torch.NewGenerator(8)
		var own, beside, sums []*torch.Tensor
		for _, shape := range [][]int{{}, {3}, {17}, {64}, {100, 7}, {200, 300}} {
			worker := func() *torch.Tensor {
				p := torch.Zeros(shape, torch.Float32, torch.CPU).SetRequiresGrad(true)
				p.SetGrad(g.Randn(shape...))
				return p
			}
			a, b := worker(), worker()
			own, beside = append(own, a), append(beside, b)
			sums = append(sums, a.Grad().To(torch.Float64).Add(b.Grad().To(torch.Float64)))
		}
		var squares float64
		for _, s := range sums {
			squares += s.Mul(s).Sum().Item()
		}
		require.InEpsilon(t, math.Sqrt(squares), torch.GatherGrads(own, beside), 1e-5)
		for i, s := range sums {
			torchtest.Within(t, s, own[i].Grad(), 1e-6, 0)
		}
	})
}

// The fused kernel pairs elements by their place in memory, for as many as the parameter has.
func TestAdamWStepHoldsItsListsAgainstTheParameters(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		f := func(d torch.DType, shape ...int) *torch.Tensor { return torch.Ones(shape, d, on) }
		right := func() [5]*torch.Tensor {
			return [5]*torch.Tensor{f(f32, 2, 3), f(f32, 2, 3), f(f32, 2, 3), f(f32, 2, 3), f(f32)}
		}
		step := func(l [5]*torch.Tensor) {
			one := func(i int) []*torch.Tensor { return []*torch.Tensor{l[i]} }
			torch.AdamWStep(one(0), one(1), one(2), one(3), one(4), 1, .1, .9, .999, 1e-8, 0)
		}
		step(right())
		for i, wrong := range map[int][]*torch.Tensor{
			0: {f(i64, 2, 3), f(f32, 1, 3).Expand(2, 3), f(f32, 2, 4).Slice(1, 0, 3)},
			1: {f(f32, 2), f(f32, 3, 2), f(torch.Float64, 2, 3)},
			2: {f(f32, 2), f(torch.BFloat16, 2, 3), f(f32, 1, 3).Expand(2, 3)},
			3: {f(f32, 0), f(torch.BFloat16, 2, 3), f(f32, 2, 1).Expand(2, 3)},
			4: {f(f32, 0), f(f32, 1), f(torch.Float64)},
		} {
			for _, x := range wrong {
				l := right()
				l[i] = x
				e := caught(t, func() { step(l) })
				require.Contains(t, []torch.Kind{torch.KindRuntime, torch.KindType}, e.Kind, "list %d: %v", i, x)
			}
		}
		// A gradient that lies in another order, or was expanded, is that of the same elements.
		g := floats(on, []int{3, 2}, 1, -1, -1, 1, 1, -1).Transpose(0, 1)
		l := right()
		l[1] = g
		step(l)
		m := l[2].Floats() // .9 + .1·g
		for i, want := range []float64{1, .8, 1, .8, 1, .8} {
			require.InDelta(t, want, m[i], 1e-6)
		}
		l = right()
		l[1] = floats(on, []int{2, 1}, 1, -1).Expand(2, 3)
		step(l)
		require.InDeltaSlice(t, []float64{1, 1, 1, .8, .8, .8}, l[2].Floats(), 1e-6)
	})
}
