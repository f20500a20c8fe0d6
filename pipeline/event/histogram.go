package event

import (
	"math"
	"slices"
)

// Histogram counts values in bins of equal width from Low to High.
type Histogram struct {
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	Counts []int   `json:"counts"`
	Sum    float64 `json:"sum"`
	Square float64 `json:"sum_of_squares"`
}

// bins is how many a histogram has.
const bins = 32

// HistogramOf counts values; those that are no numbers are left out.
func HistogramOf(values []float64) (h Histogram) {
	finite := slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
	if len(finite) == 0 {
		return h
	}
	h.Low, h.High = slices.Min(finite), slices.Max(finite)
	h.Counts = make([]int, bins)
	for _, v := range finite {
		h.Counts[h.bin(v)]++
		h.Sum += v
		h.Square += v * v
	}
	return h
}

func (h Histogram) bin(v float64) int {
	if h.High == h.Low {
		return 0
	}
	return min(bins-1, int(bins*((v-h.Low)/(h.High-h.Low))))
}

// Limit is the upper end of a bin.
func (h Histogram) Limit(bin int) float64 {
	if bin == len(h.Counts)-1 {
		return h.High
	}
	return h.Low + (h.High-h.Low)*float64(bin+1)/float64(len(h.Counts))
}
