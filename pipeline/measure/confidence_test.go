package measure

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// answersOf are n answers of one confidence, so many of them right.
func answersOf(confidence float64, n, right int) (out []sure) {
	for i := range n {
		out = append(out, sure{confidence, i < right})
	}
	return out
}

func join(parts ...[]sure) (out []sure) {
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// By hand: ten answers at .95 with 9 right are .05 too sure, thirty at .52 with 21 right .18 too unsure; together (10·.05 + 30·.18) / 40.
func TestCalibrationError(t *testing.T) {
	assert.InDelta(t, .1475, calibrationError(join(answersOf(.95, 10, 9), answersOf(.52, 30, 21))), 1e-12)
	assert.InDelta(t, 0, calibrationError(answersOf(1, 7, 7)), 1e-12, "1 belongs to the last bin")
	assert.InDelta(t, 1, calibrationError(answersOf(1, 7, 0)), 1e-12)
	// .61 and .65 lie in one bin of fifteen, [.600, .667): what is too sure and too unsure there makes up for each other; .67 lies in the next.
	assert.InDelta(t, 0, calibrationError(join(answersOf(.61, 50, 33), answersOf(.65, 50, 30))), 1e-12)
	assert.InDelta(t, .05, calibrationError(join(answersOf(.61, 50, 33), answersOf(.67, 50, 31))), 1e-12)
}

// The threshold takes as many answers of validation as reach 99 %, all of equal confidence together, also where a stretch in between is worse.
func TestThreshold(t *testing.T) {
	for _, c := range []struct {
		answers []sure
		want    float64
		ok      bool
	}{
		{join(answersOf(.9, 100, 99), answersOf(.5, 10, 10), answersOf(.2, 10, 0)), .5, true},
		{join(answersOf(.9, 100, 98), answersOf(.8, 100, 100), answersOf(.7, 1, 0)), .8, true}, // 98 % above, 99 % with the next
		{join(answersOf(.9, 50, 49), answersOf(.8, 49, 49)), 0, false},                         // 98.99 %
		{answersOf(.9, 3, 0), 0, false},
		{nil, 0, false},
	} {
		got, ok := thresholdOf(c.answers)
		assert.Equal(t, c.ok, ok)
		assert.Equal(t, c.want, got)
	}
}

// Share and precision are those of test, whatever validation promised.
func TestAccepted(t *testing.T) {
	validation := join(answersOf(.2, 10, 0), answersOf(.6, 100, 100))
	a := accepted(validation, join(answersOf(.59, 5, 5), answersOf(.6, 10, 9), answersOf(.99, 10, 9)))
	require.NotNil(t, a.Threshold)
	assert.Equal(t, []float64{.99, .6, .8, .9}, []float64{a.Wanted, *a.Threshold, a.Share, *a.Precision})
	a = accepted(validation, answersOf(.1, 5, 5))
	assert.Zero(t, a.Share)
	assert.Nil(t, a.Precision, "of nothing")
	assert.NotNil(t, a.Threshold)
	a = accepted(answersOf(1, 10, 5), answersOf(1, 10, 10))
	assert.Zero(t, a.Share)
	assert.Nil(t, a.Threshold)
	assert.Nil(t, a.Precision)
}

// Marks give each answer its own confidence; without a validation split there is no threshold.
func TestConfidenceOfMarks(t *testing.T) {
	m := Marks{Right: []string{"10", "", "1"}, Confidence: [][]float64{{.9, .4}, nil, {.7}}}
	assert.Equal(t, []sure{{.9, true}, {.4, false}, {.7, true}}, m.sure())
	c := confidenceOf(nil, m)
	assert.Nil(t, c.Accepted)
	assert.InDelta(t, (.1+.4+.3)/3, c.ECE, 1e-12)
	assert.Equal(t, 1., confidenceOf(&m, m).Accepted.Share*3/2, "two of three")
}
