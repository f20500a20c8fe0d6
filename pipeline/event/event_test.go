package event

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
)

// The losses told are a running mean of the numbers among them, and what was told stays as it was.
func TestSteps(t *testing.T) {
	var told []Progress
	step := Events(func(e Event) { told = append(told, e.(Progress)) }).Steps(5)
	for i, loss := range []float64{math.NaN(), 2, 4, math.Inf(1), 0} {
		step(i+1, loss)
	}
	assert.Nil(t, told[0].Loss)
	for i, want := range map[int]float64{1: 2, 2: 2.1, 3: 2.1, 4: 1.995} {
		assert.Equal(t, []any{i + 1, 5, "steps"}, []any{told[i].Done, told[i].Total, told[i].Unit})
		assert.InDelta(t, want, *told[i].Loss, 1e-12)
	}
	Events(nil).Steps(1)(1, 1)
}
