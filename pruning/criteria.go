package pruning

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"

	"espalier/model"
	"espalier/torch"
	"espalier/torch/nn"
)

// folded scores from the gradients of the weights.
func folded(mode torch.Fold) func(*nn.Store, []*nn.Axis, Objective) (Scores, error) {
	return func(s *nn.Store, axes []*nn.Axis, o Objective) (Scores, error) {
		where := slices(s, axes)
		defer restoreGrad(s)()
		s.SetRequiresGrad(false)
		accumulators := map[*nn.Param]*torch.Accumulator{}
		for _, p := range s.Params() {
			if where[p] != nil {
				accumulators[p] = torch.AccumulateGrad(p.T().SetRequiresGrad(true), mode)
				defer accumulators[p].Close()
			}
		}
		scores, scale := empty(axes), scaleFor(s)
		for i := range o.Batches {
			err := scaled(&scale, func() (*torch.Tensor, error) { return o.Loss(i) }, func(scale float64) bool {
				found := empty(axes)
				for _, p := range s.Params() { // in order: sums of floats depend on it
					taken := map[int][]float64{}
					for _, place := range where[p] {
						if taken[place.dim] == nil {
							taken[place.dim] = accumulators[p].Take(place.dim).Floats()
						}
						place.add(found, taken[place.dim])
					}
				}
				return scores.add(found, 1/scale)
			})
			if err != nil {
				return nil, fmt.Errorf("pruning: importance, batch %d: %w", i, err)
			}
		}
		scores.divide(o.Batches)
		return scores, nil
	}
}

// restoreGrad remembers which parameters ask for gradients and gives a function that sets it so again.
func restoreGrad(s *nn.Store) func() {
	asked := map[*nn.Param]bool{}
	for _, p := range s.Params() {
		asked[p] = p.T().RequiresGrad()
	}
	return func() {
		for p, on := range asked {
			p.T().SetRequiresGrad(on)
		}
	}
}

// gated scores from the gradients of gates, one for each picture and unit; the weights stay frozen.
func gated(n model.Network, axes []*nn.Axis, s Sample) (Scores, error) {
	for _, a := range axes {
		if a.Kind == nn.Vocabulary {
			return nil, fmt.Errorf("pruning: taylor-sample: the gate of %s has no gradient; score it by another criterion", a.Name)
		}
	}
	defer restoreGrad(n.Store())()
	n.Store().SetRequiresGrad(false)
	defer n.Store().SetGates(nil)
	scores, scale := empty(axes), scaleFor(n.Store())
	for i := range s.Batches {
		gates := map[string]*torch.Tensor{}
		err := scaled(&scale, func() (*torch.Tensor, error) {
			b, err := s.Batch(i)
			if err != nil {
				return nil, err
			}
			for _, a := range axes {
				gates[a.Name] = torch.Ones([]int{b.GateRows(a.Tower), a.Units()}, torch.Float32, b.Pictures.Device()).SetRequiresGrad(true)
			}
			n.Store().SetGates(gates)
			return s.Loss(i, b, n.Logits(b)), nil
		}, func(scale float64) bool {
			found := Scores{}
			for _, a := range axes {
				found[a.Name] = gates[a.Name].Grad().Abs().Sum(0).Floats()
			}
			return scores.add(found, 1/scale)
		})
		if err != nil {
			return nil, fmt.Errorf("pruning: importance, batch %d: %w", i, err)
		}
	}
	scores.divide(s.Batches)
	return scores, nil
}

func magnitude(s *nn.Store, axes []*nn.Axis, _ Objective) (Scores, error) {
	scores := empty(axes)
	where := slices(s, axes)
	err := torch.Run(func(*torch.Scope) error {
		for _, p := range s.Params() {
			for _, place := range where[p] {
				size := p.T().Detach().Abs().To(torch.Float64)
				others := []int{}
				for d := range p.Dims {
					if d != place.dim {
						others = append(others, d)
					}
				}
				if len(others) > 0 {
					size = size.Sum(others...)
				}
				place.add(scores, size.Floats())
			}
		}
		return nil
	})
	return scores, err
}

// random draws from a stream of each axis' own, so that one axis does not shift another's numbers.
func random(_ *nn.Store, axes []*nn.Axis, o Objective) (Scores, error) {
	scores := empty(axes)
	for _, a := range axes {
		h := fnv.New64a()
		h.Write([]byte(a.Name))
		r := rand.New(rand.NewPCG(o.Seed, h.Sum64()))
		for i := range scores[a.Name] {
			scores[a.Name][i] = r.Float64()
		}
	}
	return scores, nil
}

func last(_ *nn.Store, axes []*nn.Axis, _ Objective) (Scores, error) {
	scores := empty(axes)
	for _, a := range axes {
		for i := range scores[a.Name] {
			scores[a.Name][i] = float64(a.Units() - i)
		}
	}
	return scores, nil
}

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
			return nil, fmt.Errorf("pruning: importance, batch %d: %w", i, err)
		}
	}
	scores.divide(s.Batches)
	return scores, nil
}
