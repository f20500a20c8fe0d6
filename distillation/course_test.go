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
	short := newCourse(3)
	for step, loss := range []float64{4, math.NaN(), 2} {
		short.add(step, loss)
	}
	assert.Equal(t, []Point{{.5, 4}, {2.5, 2}}, short.Points())

	long := newCourse(12000)
	for step := range 12000 {
		long.add(step, float64(step))
	}
	points := long.Points()
	require.Len(t, points, mostPoints)
	for i, p := range points {
		assert.Equal(t, float64(100*i+50), p.Step)
		assert.InDelta(t, p.Step, p.Loss, .51)
	}

	text, err := json.Marshal(long)
	require.NoError(t, err)
	var again Course
	require.NoError(t, json.Unmarshal(text, &again))
	assert.Equal(t, long, again, "to the bit: a training that was cut short goes on with it")
	assert.True(t, again.whole(12000))
	assert.False(t, again.whole(100))
	assert.False(t, Course{Steps: 3}.whole(3))
	assert.Empty(t, newCourse(0).Points())
}
