package pruning

import (
	"espalier/torch"
	"espalier/torch/nn"
)

// fold makes scores of the gradients of one batch.
type fold struct {
	mode   torch.Fold
	axes   []*nn.Axis
	params []*nn.Param // in order: sums of floats depend on it
	where  map[*nn.Param][]slice
}

// atOnce folds gradients as they arise and keeps none.
func (f *fold) atOnce(scale float64, passes func(func(pass) error) error) (Scores, error) {
	found := empty(f.axes)
	err := passes(func(p pass) error {
		accumulators := make([]*torch.Accumulator, len(f.params)) // of this batch alone: an earlier attempt may have broken off
		for i, p := range f.params {
			accumulators[i] = torch.AccumulateGrad(p.T(), f.mode)
			defer accumulators[i].Close()
		}
		l, err := p.loss()
		if err != nil {
			return err
		}
		backward(l, scale)
		f.take(found, accumulators)
		return nil
	})
	return found, err
}

// inParts adds the gradients of a batch's parts up and folds the sums: an absolute value of each part's would be another score.
// So it keeps a gradient for each parameter, as training does.
func (f *fold) inParts(scale float64, passes func(func(pass) error) error) (Scores, error) {
	defer func() {
		for _, p := range f.params {
			p.T().SetGrad(nil)
		}
	}()
	if err := passes(func(p pass) error {
		l, err := p.loss()
		if err == nil {
			backward(l, scale)
		}
		return err
	}); err != nil {
		return nil, err
	}
	found := empty(f.axes)
	return found, torch.Run(func(*torch.Scope) error {
		accumulators := make([]*torch.Accumulator, len(f.params))
		for i, p := range f.params {
			sum := p.T().Grad()
			if sum == nil {
				continue
			}
			p.T().SetGrad(nil)
			accumulators[i] = torch.AccumulateGrad(p.T(), f.mode)
			defer accumulators[i].Close()
			p.T().Mul(sum).Sum().Backward() // its gradient is the sum
		}
		f.take(found, accumulators)
		return nil
	})
}

// take counts what was folded of each parameter; nil where that is nothing. All of it is read at once, since a GPU has to finish for that.
func (f *fold) take(found Scores, accumulators []*torch.Accumulator) {
	type line struct{ param, dim int }
	sums := map[line][]float64{}
	var order []line
	var taken []*torch.Tensor
	for i, p := range f.params {
		if accumulators[i] == nil {
			continue
		}
		for _, place := range f.where[p] {
			if at := (line{i, place.dim}); sums[at] == nil {
				sums[at] = make([]float64, p.Shape()[place.dim])
				order, taken = append(order, at), append(taken, accumulators[i].Take(place.dim))
			}
		}
	}
	if len(taken) == 0 {
		return
	}
	all := torch.Cat(0, taken...).Floats()
	for _, at := range order {
		all = all[copy(sums[at], all):]
	}
	for i, p := range f.params {
		for _, place := range f.where[p] {
			if sum := sums[line{i, place.dim}]; sum != nil {
				place.add(found, sum)
			}
		}
	}
}
