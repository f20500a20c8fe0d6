package distillation

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A curve has a point for each step of a short training; of a long one each point is the mean of its steps.
func TestCurve(t *testing.T) {
	var short curve
	for i, loss := range []float64{4, math.NaN(), 2} {
		assert.Equal(t, i != 1, short.add(i+1, 4, loss, .1, 1), "step %d", i+1)
	}
	assert.False(t, short.add(4, 4, 1, .1, math.Inf(1)), "gradients that are no numbers")
	assert.Equal(t, []Point{{1, 4, .1, 1}, {3, 2, .1, 1}}, short.Points)

	const steps, each = 40500, 102
	var long curve
	for step := 1; step <= 15000; step++ {
		long.add(step, steps, float64(step), 1/float64(step), 2*float64(step))
	}
	text, err := json.Marshal(long)
	require.NoError(t, err)
	var again curve
	require.NoError(t, json.Unmarshal(text, &again))
	require.Equal(t, long, again, "to the bit: a training that was cut short goes on with it")
	for step := 15001; step <= steps; step++ {
		again.add(step, steps, float64(step), 1/float64(step), 2*float64(step))
	}
	last := steps / each
	require.Len(t, again.Points, last+1)
	assert.LessOrEqual(t, last+1, mostPoints)
	for i, p := range again.Points[:last] {
		middle := each*float64(i) + (each+1)/2.
		assert.Equal(t, Point{each * (i + 1), middle, 1 / float64(each*(i+1)), 2 * middle}, p)
	}
	assert.Equal(t, steps, again.Points[last].Step, "the last step ends the last point")
}
