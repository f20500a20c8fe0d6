package bench

import (
	"math"
	"slices"
)

// Quartiles sum up repeated measurements.
type Quartiles struct {
	Low    float64 `json:"q25"`
	Median float64 `json:"median"`
	High   float64 `json:"q75"`
}

func quartiles(values []float64) Quartiles {
	sorted := slices.Sorted(slices.Values(values))
	return Quartiles{Low: quantile(sorted, .25), Median: quantile(sorted, .5), High: quantile(sorted, .75)}
}

// quantile interpolates between the neighbours of a share of sorted values.
func quantile(sorted []float64, share float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := share * float64(len(sorted)-1)
	i := int(at)
	if i+1 == len(sorted) {
		return sorted[i]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

func median(values []float64) float64 { return quartiles(values).Median }
