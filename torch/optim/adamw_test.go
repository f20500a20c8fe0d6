package optim_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/optim"
	"espalier/torch/torchtest"
)

// plainAdamW is one parameter under AdamW, after Loshchilov and Hutter (2019), algorithm 2, element by element.
type plainAdamW struct {
	w, m, v []float64
	decay   float64
	t       int
}

func (p *plainAdamW) step(g []float64, lr float64) {
	const beta1, beta2, eps = .9, .999, 1e-8
	p.t++
	for i := range p.w {
		p.w[i] -= lr * p.decay * p.w[i]
		p.m[i] = beta1*p.m[i] + (1-beta1)*g[i]
		p.v[i] = beta2*p.v[i] + (1-beta2)*g[i]*g[i]
		m, v := p.m[i]/(1-math.Pow(beta1, float64(p.t))), p.v[i]/(1-math.Pow(beta2, float64(p.t)))
		p.w[i] -= lr * m / (math.Sqrt(v) + eps)
	}
}

func TestAdamW(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		const decay = .3
		g := torch.NewGenerator(7)
		var params []*torch.Tensor
		var plain []*plainAdamW
		for _, shape := range [][]int{{4}, {3, 5}, {2, 2, 3, 3}, {}} {
			w := g.Randn(shape...)
			p := &plainAdamW{w: w.Floats(), m: make([]float64, w.Count()), v: make([]float64, w.Count())}
			if len(shape) > 1 { // biases and norms do not decay
				p.decay = decay
			}
			params = append(params, w.ToDevice(on).SetRequiresGrad(true))
			plain = append(plain, p)
		}
		o := optim.NewAdamW(params, decay, false)
		defer o.Close()
		require.ElementsMatch(t, params, o.Params())
		for step := range 6 {
			lr := .05 / float64(step+1)
			o.ZeroGrad()
			for i, w := range params {
				if i == 1 && step == 2 {
					continue // a parameter without a gradient stands still, and so does its age
				}
				grad := g.Randn(w.Shape()...).MulScalar(float64(i*i + 1))
				w.SetGrad(grad.ToDevice(on))
				plain[i].step(grad.Floats(), lr)
			}
			require.NoError(t, o.Step(lr, 1))
			for i, w := range params {
				torchtest.Values(t, w, w.Shape(), plain[i].w...)
			}
		}
		o.ZeroGrad()
		for _, w := range params {
			require.Nil(t, w.Grad())
		}
	})
}

// Rounding moves weights up as often as down: a factor of 1 − lr · decay as a float would move all in one direction.
func TestAdamWRoundsEvenly(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		const lr, decay, steps = 1.1e-3, .05, 200
		w := torch.NewGenerator(8).Randn(100, 100).SetRequiresGrad(true)
		before := w.Floats()
		o := optim.NewAdamW([]*torch.Tensor{w}, decay, false)
		defer o.Close()
		for range steps {
			w.SetGrad(torch.Zeros(w.Shape(), torch.Float32, torch.CPU))
			require.NoError(t, o.Step(lr, 1))
		}
		off := 0.
		for i, now := range w.Floats() {
			off += (now/(before[i]*math.Pow(1-lr*decay, steps)) - 1) / float64(len(before))
		}
		require.InDelta(t, 0, off, 1e-7)
	})
}

func TestAdamWDecaysAll(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		for _, all := range []bool{false, true} {
			bias := torch.Full([]int{2}, 10, torch.Float32, on).SetRequiresGrad(true)
			plain := &plainAdamW{w: bias.Floats(), m: make([]float64, 2), v: make([]float64, 2)}
			if all {
				plain.decay = .5
			}
			o := optim.NewAdamW([]*torch.Tensor{bias}, .5, all)
			bias.SetGrad(torch.Full([]int{2}, 3, torch.Float32, on))
			plain.step([]float64{3, 3}, .1)
			require.NoError(t, o.Step(.1, 1))
			torchtest.Values(t, bias, []int{2}, plain.w...)
			o.Close()
		}
	})
}

func TestAdamWStateOutlivesScopes(t *testing.T) {
	torchtest.Setup(t)
	before := torch.LiveTensors()
	var o *optim.AdamW
	w := torch.Ones([]int{2, 2}, torch.Float32, torch.CPU).SetRequiresGrad(true)
	defer w.Free()
	step := func() {
		require.NoError(t, torch.Run(func(*torch.Scope) error {
			if o == nil {
				o = optim.NewAdamW([]*torch.Tensor{w}, 0, false)
			}
			o.ZeroGrad()
			w.Mul(w).Sum().Backward()
			return o.Step(.1, 1)
		}))
	}
	step()
	live := torch.LiveTensors()
	require.Equal(t, before+4, live, "the parameter and its state")
	for range 3 {
		step()
	}
	require.Equal(t, live, torch.LiveTensors())
	o.Close()
	require.Equal(t, before+1, torch.LiveTensors())
	require.Empty(t, o.Params())
	require.NoError(t, o.Step(.1, 1))
}

func TestAdamWErrors(t *testing.T) {
	torchtest.Setup(t)
	w := torch.Ones([]int{2, 2}, torch.Float32, torch.CPU).SetRequiresGrad(true)
	o := optim.NewAdamW([]*torch.Tensor{w}, 0, false)
	defer o.Close()
	w.Free()
	require.ErrorContains(t, o.Step(.1, 1), "was freed")
}
