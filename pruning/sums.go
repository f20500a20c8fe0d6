package pruning

import (
	"errors"
	"fmt"

	"espalier/torch/nn"
)

// Sums are scores added up over the first batches of a sample: all that is needed to go on with the others to the same bits.
type Sums struct {
	Batches int     `json:"batches"`
	Scores  Scores  `json:"scores"`
	Scale   float64 `json:"scale"` // of the loss in backward
}

// Resumed says where a score begins, and who is told how far it came.
type Resumed struct {
	From Sums            // of an interrupted score of the same units; none begins with the first batch
	Each func(sums Sums) // after each batch; the sums change with the next one. May be nil
}

// mean adds the batches up that are left, and gives the mean over all of them. batch adds one to the sums, or leaves them as
// they are when it fails.
func (r Resumed) mean(axes []*nn.Axis, batches int, scale float64, batch func(i int, sums *Sums) error) (Scores, error) {
	sums := Sums{Scores: empty(axes), Scale: scale}
	if r.From.Batches > 0 {
		for _, a := range axes {
			if len(r.From.Scores[a.Name]) != a.Units() {
				return nil, errors.New("pruning: importance: the sums to go on with are not of these units: begin with none")
			}
			copy(sums.Scores[a.Name], r.From.Scores[a.Name])
		}
		sums.Batches, sums.Scale = r.From.Batches, r.From.Scale
	}
	for sums.Batches < batches {
		if err := batch(sums.Batches, &sums); err != nil {
			return nil, fmt.Errorf("pruning: importance, batch %d: %w", sums.Batches, err)
		}
		sums.Batches++
		if r.Each != nil {
			r.Each(sums)
		}
	}
	sums.Scores.divide(batches)
	return sums.Scores, nil
}
