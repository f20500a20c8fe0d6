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
func folded(mode torch.Fold) func(*nn.Store, []*nn.Axis, source) (Scores, error) {
	return func(s *nn.Store, axes []*nn.Axis, from source) (Scores, error) {
		f := fold{mode: mode, axes: axes, where: slicesOf(s, axes)}
		defer restoreGrad(s)()
		s.SetRequiresGrad(false)
		for _, p := range s.Params() {
			if f.where[p] != nil {
				p.T().SetRequiresGrad(true)
				f.params = append(f.params, p)
			}
		}
		return from.mean(axes, from.batches, scaleFor(s), func(i int, sums *Sums) error {
			return from.pieces.Do(i, func(pieces int) error {
				return scaled(&sums.Scale, func(scale float64) (bool, error) {
					take := f.atOnce
					if pieces > 1 {
						take = f.inParts
					}
					found, err := take(scale, func(each func(pass) error) error { return from.passes(i, pieces, each) })
					return err == nil && sums.Scores.add(found, 1/scale), err
				})
			})
		})
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
	return s.mean(axes, s.Batches, scaleFor(n.Store()), func(i int, sums *Sums) error {
		return s.Pieces.Do(i, func(pieces int) error {
			return scaled(&sums.Scale, func(scale float64) (bool, error) {
				found := empty(axes)
				err := s.passes(n, i, pieces, func(p pass) error { return addGates(found, n, axes, p, scale) })
				return err == nil && sums.Scores.add(found, 1/scale), err
			})
		})
	})
}

// addGates adds the gradients of a pass' gates up, over the pictures.
func addGates(found Scores, n model.Network, axes []*nn.Axis, p pass, scale float64) error {
	gates, dtype := map[string]*torch.Tensor{}, torch.Float32
	if p.batch.Pictures.DType() == torch.Float64 {
		dtype = torch.Float64
	}
	for _, a := range axes {
		gates[a.Name] = torch.Ones([]int{p.batch.GateRows(a.Tower), a.Units()}, dtype, p.batch.Pictures.Device()).SetRequiresGrad(true)
	}
	n.Store().SetGates(gates)
	defer n.Store().SetGates(nil) // they go with the pass
	l, err := p.loss()
	if err != nil {
		return err
	}
	backward(l, scale)
	for _, a := range axes {
		for unit, v := range gates[a.Name].Grad().Abs().Sum(0).Floats() {
			found[a.Name][unit] += v
		}
	}
	return nil
}

func magnitude(s *nn.Store, axes []*nn.Axis, _ source) (Scores, error) {
	scores := empty(axes)
	where := slicesOf(s, axes)
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
func random(_ *nn.Store, axes []*nn.Axis, from source) (Scores, error) {
	scores := empty(axes)
	for _, a := range axes {
		h := fnv.New64a()
		h.Write([]byte(a.Name))
		r := rand.New(rand.NewPCG(from.seed, h.Sum64()))
		for i := range scores[a.Name] {
			scores[a.Name][i] = r.Float64()
		}
	}
	return scores, nil
}

func last(_ *nn.Store, axes []*nn.Axis, _ source) (Scores, error) {
	scores := empty(axes)
	for _, a := range axes {
		for i := range scores[a.Name] {
			scores[a.Name][i] = float64(a.Units() - i)
		}
	}
	return scores, nil
}
