package event

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestHistogram(t *testing.T) {
	h := HistogramOf([]float64{-1, 0, math.NaN(), 3, 3, math.Inf(1)})
	assert.Equal(t, []float64{-1, 3, 5, 19}, []float64{h.Low, h.High, h.Sum, h.Square})
	want := make([]int, bins)
	want[0], want[bins/4], want[bins-1] = 1, 1, 2
	assert.Equal(t, want, h.Counts)
	assert.Equal(t, []float64{-.875, 0, 3}, []float64{h.Limit(0), h.Limit(bins/4 - 1), h.Limit(bins - 1)})
	same := HistogramOf([]float64{2, 2})
	assert.Equal(t, 2, same.Counts[0])
	assert.Equal(t, 2., same.Limit(0))
	assert.Empty(t, HistogramOf([]float64{math.NaN()}).Counts)
}
