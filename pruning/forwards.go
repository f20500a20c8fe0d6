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
	var turned, tokens Scores // of a batch: the mean over the tokens so far, and how many these are
	for _, a := range axes {
		a.Observe = func(block int, in, out *torch.Tensor) {
			x, y := in.To(torch.Float64), out.To(torch.Float64)
			dot := x.Mul(y).Sum(-1)
			norms := x.Mul(x).Sum(-1).Mul(y.Mul(y).Sum(-1)).Sqrt()
			n := float64(dot.Count())
			was := tokens[a.Name][block]
			turned[a.Name][block] += (1 - dot.Div(norms.ClampMin(1e-30)).Mean().Item() - turned[a.Name][block]) * (n / (was + n))
			tokens[a.Name][block] += n
		}
		defer func() { a.Observe = nil }()
	}
	return s.observed(n, axes, func() { turned, tokens = empty(axes), empty(axes) }, func() Scores { return turned })
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
	return s.observed(n, axes, func() { squares = empty(axes) }, func() Scores {
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

// observed runs the network over the sample without gradients, and gives the mean of what each batch found.
func (s Sample) observed(n model.Network, axes []*nn.Axis, begin func(), found func() Scores) (Scores, error) {
	return s.mean(axes, s.Batches, 1, func(i int, sums *Sums) error {
		err := s.Pieces.Do(i, func(pieces int) error {
			begin()
			return s.forwards(i, pieces, func(b *model.Batch) { n.Hidden(b) })
		})
		if err == nil && !sums.Scores.add(found(), 1) {
			err = errors.New("what a block takes in or gives, or an activation, is not a finite number")
		}
		return err
	})
}
