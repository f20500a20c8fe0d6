package pruning

import (
	"errors"
	"fmt"
	"math"

	"espalier/model"
	"espalier/torch"
	"espalier/torch/nn"
)

// cosine scores blocks by how far they turn their input.
func cosine(n model.Network, axes []*nn.Axis, s Sample) (Scores, error) {
	var found Scores // of a batch
	for _, a := range axes {
		a.Observe = func(block int, in, out *torch.Tensor) {
			x, y := in.To(torch.Float64), out.To(torch.Float64)
			dot := x.Mul(y).Sum(-1)
			norms := x.Mul(x).Sum(-1).Mul(y.Mul(y).Sum(-1)).Sqrt()
			found[a.Name][block] += 1 - dot.Div(norms.ClampMin(1e-30)).Mean().Item()
		}
		defer func() { a.Observe = nil }()
	}
	return s.forwards(n, axes, func() { found = empty(axes) }, func() Scores { return found })
}

// activation scores units by the norm of their activations over each batch, padding included.
func activation(n model.Network, axes []*nn.Axis, s Sample) (Scores, error) {
	if a := withoutPoint(axes); a != nil {
		return nil, fmt.Errorf("pruning: activation: %s has no activations of its own; score %s by another criterion", a.Name, a.Kind)
	}
	var squares Scores // of a batch
	for _, a := range axes {
		a.Measure = func(unit int, x *torch.Tensor) {
			x = x.To(torch.Float64)
			for i, v := range x.Mul(x).Sum(1).Floats() {
				squares[a.Name][unit+i] += v
			}
		}
		defer func() { a.Measure = nil }()
	}
	return s.forwards(n, axes, func() { squares = empty(axes) }, func() Scores {
		for _, v := range squares {
			for i := range v {
				v[i] = math.Sqrt(v[i])
			}
		}
		return squares
	})
}

// withoutPoint is the first axis that no gate point multiplies: hidden queries are masked, tokens compared.
func withoutPoint(axes []*nn.Axis) *nn.Axis {
	for _, a := range axes {
		if a.Kind == nn.Queries || a.Kind == nn.Vocabulary {
			return a
		}
	}
	return nil
}

// forwards runs the network over the sample without gradients, and gives the mean of what each batch found.
func (s Sample) forwards(n model.Network, axes []*nn.Axis, begin func(), found func() Scores) (Scores, error) {
	return s.mean(axes, s.Batches, 1, func(i int, sums *Sums) error {
		return torch.Run(func(*torch.Scope) error {
			b, err := s.Batch(i)
			if err != nil {
				return err
			}
			begin()
			torch.NoGrad(func() { n.Hidden(b) })
			if !sums.Scores.add(found(), 1) {
				return errors.New("what a block takes in or gives, or an activation, is not a finite number")
			}
			return nil
		})
	})
}
