package distillation

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A course has a point for each step of a short training; of a long one each point is the mean of its steps.
func TestCourse(t *testing.T) {
	short := Course{Steps: 4}
	for i, loss := range []float64{4, math.NaN(), 2, math.MaxFloat64} {
		assert.Equal(t, i != 1, short.add(i+1, loss, .1, 1), "step %d", i+1)
	}
	assert.Equal(t, []Point{{1, 4, .1, 1}, {3, 2, .1, 1}, {4, math.MaxFloat64, .1, 1}}, short.Points)
	assert.False(t, (&Course{Steps: 9}).add(1, 1, .1, math.Inf(1)), "gradients that are no numbers")

	long := Course{Steps: 20050}
	for step := range 15000 {
		long.add(step+1, float64(step+1), 1/float64(step+1), 2*float64(step+1))
	}
	text, err := json.Marshal(long)
	require.NoError(t, err)
	var again Course
	require.NoError(t, json.Unmarshal(text, &again))
	require.Equal(t, long, again, "to the bit: a training that was cut short goes on with it")
	for step := 15000; step < 20050; step++ {
		again.add(step+1, float64(step+1), 1/float64(step+1), 2*float64(step+1))
	}
	require.Len(t, again.Points, 199)
	for i, p := range again.Points[:198] {
		assert.Equal(t, Point{101 * (i + 1), 101*float64(i) + 51, 1 / float64(101*(i+1)), 2 * (101*float64(i) + 51)}, p)
	}
	assert.Equal(t, 20050, again.Points[198].Step, "the last step ends the last point")
}
