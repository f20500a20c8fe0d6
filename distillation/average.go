package distillation

import (
	"fmt"

	"espalier/torch"
)

// average is an exponential average of the weights that a training goes through: it smooths out what the last batches happened
// to ask for (Polyak and Juditsky, 1992). It is part of a training's state.
type average struct {
	decay   float64
	weights []*torch.Tensor // nil where decay is 0
}

// begin makes the average of the parameters as they are.
func (a *average) begin(params []*torch.Tensor, decay float64) error {
	if decay == 0 {
		return nil
	}
	a.decay = decay
	err := torch.Run(func(*torch.Scope) error {
		for _, p := range params {
			a.weights = append(a.weights, p.Detach().Clone().Release())
		}
		return nil
	})
	switch {
	case torch.LacksMemory(err):
		return fmt.Errorf("distillation: %w", &torch.OutOfMemory{What: "the average of the weights, one number a parameter", Err: err})
	case err != nil:
		return fmt.Errorf("distillation: the average of the weights: %w", err)
	}
	return nil
}

// add takes the weights after one more step in, when so many were taken before it. The decay of the first steps is smaller,
// (1 + taken) / (10 + taken), or a short training would stay where it began.
func (a *average) add(params []*torch.Tensor, taken int) error {
	decay := min(a.decay, float64(1+taken)/float64(10+taken))
	return a.each(params, func(p, w *torch.Tensor) { w.CopyFrom(w.MulScalar(decay).Add(p.MulScalar(1 - decay))) })
}

// give puts the average into the parameters.
func (a *average) give(params []*torch.Tensor) error {
	return a.each(params, func(p, w *torch.Tensor) { p.CopyFrom(w) })
}

// each calls f for every parameter and its average.
func (a *average) each(params []*torch.Tensor, f func(p, w *torch.Tensor)) error {
	for i, w := range a.weights {
		if err := torch.Run(func(*torch.Scope) error {
			torch.NoGrad(func() { f(params[i], w) })
			return nil
		}); torch.LacksMemory(err) {
			return &torch.OutOfMemory{What: "the average of a weight", Err: err}
		} else if err != nil {
			return fmt.Errorf("the average of the weights: %w", err)
		}
	}
	return nil
}

func (a *average) free() {
	for _, w := range a.weights {
		w.Free()
	}
	a.weights = nil
}
