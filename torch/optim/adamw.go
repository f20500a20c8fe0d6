// Package optim updates parameters: AdamW, gradient clipping and learning-rate schedules.
package optim

import (
	"fmt"

	"espalier/torch"
)

// AdamW is Adam with decoupled weight decay (Loshchilov and Hutter, 2019).
type AdamW struct {
	Beta1, Beta2, Eps float64
	groups            []group
}

// group is the parameters with one weight decay; their state lies beside them.
type group struct {
	decay              float64
	params             []*torch.Tensor
	first, second, age []*torch.Tensor
}

// NewAdamW prepares a state for each parameter. As is common, biases and norms (parameters of one dimension) do not
// decay, unless all do. As operations do, it panics with a *torch.Error where there is not enough memory.
func NewAdamW(params []*torch.Tensor, weightDecay float64, decayAll bool) *AdamW {
	o := &AdamW{Beta1: .9, Beta2: .999, Eps: 1e-8}
	decayed, plain := group{decay: weightDecay}, group{}
	for _, p := range params {
		g := &plain
		if decayAll || p.Rank() > 1 {
			g = &decayed
		}
		g.params = append(g.params, p)
	}
	whole := false
	defer func() {
		if !whole { // what there is would stay for ever
			o.groups = []group{decayed, plain}
			o.Close()
		}
	}()
	for _, g := range []*group{&decayed, &plain} {
		for _, p := range g.params {
			shape, on := p.Shape(), p.Device()
			g.first = append(g.first, torch.Zeros(shape, p.DType(), on).Release())
			g.second = append(g.second, torch.Zeros(shape, p.DType(), on).Release())
			g.age = append(g.age, torch.Zeros(nil, torch.Float32, on).Release())
		}
		if len(g.params) > 0 {
			o.groups = append(o.groups, *g)
		}
	}
	whole = true
	return o
}

// State are the moments and ages by name; with the parameters they are all that a training is. They belong to the optimizer.
func (o *AdamW) State() map[string]*torch.Tensor {
	out := map[string]*torch.Tensor{}
	for i, g := range o.groups {
		for j := range g.params {
			out[fmt.Sprintf("first.%d.%d", i, j)] = g.first[j]
			out[fmt.Sprintf("second.%d.%d", i, j)] = g.second[j]
			out[fmt.Sprintf("age.%d.%d", i, j)] = g.age[j]
		}
	}
	return out
}

// Params are the parameters under optimization.
func (o *AdamW) Params() []*torch.Tensor {
	var out []*torch.Tensor
	for _, g := range o.groups {
		out = append(out, g.params...)
	}
	return out
}

// Step updates every parameter that has a gradient, which is taken times scale.
func (o *AdamW) Step(lr, scale float64) error {
	return torch.Run(func(*torch.Scope) error {
		for _, g := range o.groups {
			var live group
			var grads []*torch.Tensor
			for i, p := range g.params {
				if grad := p.Grad(); grad != nil {
					grads = append(grads, grad)
					live.params = append(live.params, p)
					live.first = append(live.first, g.first[i])
					live.second = append(live.second, g.second[i])
					live.age = append(live.age, g.age[i])
				}
			}
			torch.AdamWStep(live.params, grads, live.first, live.second, live.age, scale, lr, o.Beta1, o.Beta2, o.Eps, g.decay)
		}
		return nil
	})
}

// ZeroGrad drops every gradient.
func (o *AdamW) ZeroGrad() {
	for _, g := range o.groups {
		for _, p := range g.params {
			p.SetGrad(nil)
		}
	}
}

// Close frees the state.
func (o *AdamW) Close() {
	for _, g := range o.groups {
		for _, state := range [][]*torch.Tensor{g.first, g.second, g.age} {
			for _, t := range state {
				t.Free()
			}
		}
	}
	o.groups = nil
}
