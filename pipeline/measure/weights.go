package measure

import (
	"espalier/model"
	"espalier/pipeline/event"
	"espalier/torch"
	"espalier/torch/nn"
)

// mostWeights is how many weights of a part are counted at the most, about: of more, some rows of each matrix.
const mostWeights = 1 << 20

// weightsOf are histograms of a network's weights, part by part.
func weightsOf(n model.Network) (map[string]event.Histogram, error) {
	counts, values := n.Store().CountByPart(), map[string][]float64{}
	err := torch.Run(func(*torch.Scope) error {
		for _, p := range n.Store().Params() {
			if !p.Buffer {
				values[p.Part] = append(values[p.Part], rowsOf(p, 1+counts[p.Part]/mostWeights)...)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := map[string]event.Histogram{}
	for part, of := range values {
		out[part] = event.HistogramOf(of)
	}
	return out, nil
}

// rowsOf are the elements of a parameter, or of every so many of its rows.
func rowsOf(p *nn.Param, every int) (values []float64) {
	if shape := p.Shape(); every > 1 && len(shape) > 1 {
		for row := 0; row < shape[0]; row += every {
			values = append(values, p.T().Select(0, row).Floats()...)
		}
		return values
	}
	return p.T().Floats()
}
