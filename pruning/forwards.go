package pruning

import (
	"fmt"
	"math"

	"espalier/model"
	"espalier/torch"
	"espalier/torch/nn"
)

// cosine scores blocks by how far they turn their input.
func cosine(n model.Network, axes []*nn.Axis, s Sample) (Scores, error) {
	scores := empty(axes)
	for _, a := range axes {
		a.Observe = func(block int, in, out *torch.Tensor) {
			x, y := in.To(torch.Float64), out.To(torch.Float64)
			dot := x.Mul(y).Sum(-1)
			norms := x.Mul(x).Sum(-1).Mul(y.Mul(y).Sum(-1)).Sqrt()
			scores[a.Name][block] += 1 - dot.Div(norms.ClampMin(1e-30)).Mean().Item()
		}
		defer func() { a.Observe = nil }()
	}
	err := forwards(n, s, func() {})
	scores.divide(s.Batches)
	return scores, err
}

// activation scores units by the norm of their activations over each batch, padding included.
func activation(n model.Network, axes []*nn.Axis, s Sample) (Scores, error) {
	if a := withoutPoint(axes); a != nil {
		return nil, fmt.Errorf("pruning: activation: %s has no activations of its own; score %s by another criterion", a.Name, a.Kind)
	}
	scores, squares := empty(axes), empty(axes)
	for _, a := range axes {
		a.Measure = func(unit int, x *torch.Tensor) {
			x = x.To(torch.Float64)
			for i, v := range x.Mul(x).Sum(1).Floats() {
				squares[a.Name][unit+i] += v
			}
		}
		defer func() { a.Measure = nil }()
	}
	err := forwards(n, s, func() {
		for name, v := range squares {
			for i := range v {
				scores[name][i] += math.Sqrt(v[i])
				v[i] = 0
			}
		}
	})
	scores.divide(s.Batches)
	return scores, err
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

// forwards runs the network over the sample without gradients and calls then after each batch.
func forwards(n model.Network, s Sample, then func()) error {
	for i := range s.Batches {
		err := torch.Run(func(*torch.Scope) error {
			b, err := s.Batch(i)
			if err != nil {
				return err
			}
			torch.NoGrad(func() { n.Hidden(b) })
			return nil
		})
		if err != nil {
			return fmt.Errorf("pruning: importance, batch %d: %w", i, err)
		}
		then()
	}
	return nil
}
