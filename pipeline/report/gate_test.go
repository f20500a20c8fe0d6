package report

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// With one question a picture, the drop's interval is that of a mean of −1, 0 and 1: its normal approximation is
// known in closed form.
func TestPairedDropAgainstTheNormalApproximation(t *testing.T) {
	const n, lost, won = 2000, 160, 60
	pictures := make([]Outcome, n)
	for i := range pictures {
		pictures[i] = Outcome{1, 1, 1}
		switch {
		case i < lost:
			pictures[i].Student = 0
		case i < lost+won:
			pictures[i].Teacher = 0
		}
	}
	d := PairedDrop(pictures, 1)
	mean := float64(lost-won) / n
	sigma := math.Sqrt((float64(lost+won)/n - mean*mean) / n)
	assert.InDelta(t, mean, d.Drop, 1e-12)
	// 2000 resamples place a 2.5 % quantile within some 0.06 sigma; the tolerance is three times that.
	assert.InDelta(t, mean-1.96*sigma, d.CI[0], .2*sigma)
	assert.InDelta(t, mean+1.96*sigma, d.CI[1], .2*sigma)
	assert.Equal(t, d, PairedDrop(pictures, 1), "the same seed, the same interval")
	assert.NotEqual(t, d.CI, PairedDrop(pictures, 2).CI)
}

// Pictures are the unit that is drawn. Five copies of a question are not five independent ones: the interval must
// be that of one question a picture, not √5 narrower; and shared errors must not widen it.
func TestPairedDropIsByPictureAndPaired(t *testing.T) {
	single, fivefold, both := make([]Outcome, 400), make([]Outcome, 400), make([]Outcome, 400)
	for i := range single {
		student := 1.
		if i%10 == 0 {
			student = 0
		}
		single[i] = Outcome{1, 1, student}
		fivefold[i] = Outcome{5, 5, 5 * student}
		both[i] = Outcome{1, student, student}
	}
	one, five := PairedDrop(single, 3), PairedDrop(fivefold, 3)
	assert.InDelta(t, one.CI[0], five.CI[0], 1e-12)
	assert.InDelta(t, one.CI[1], five.CI[1], 1e-12)
	assert.Equal(t, Drop{}, PairedDrop(both, 3), "errors in common are no loss")
}

// Pictures with more questions weigh more, as in the overall accuracy.
func TestPairedDropIsOverQuestions(t *testing.T) {
	d := PairedDrop([]Outcome{{9, 9, 9}, {1, 1, 0}}, 1)
	assert.InDelta(t, .1, d.Drop, 1e-12)
}

func answers(pictures int, student func(picture, task int) bool) []Answer {
	var out []Answer
	for p := range pictures {
		for k, task := range []string{"color", "style"} {
			out = append(out, Answer{Picture: p, Task: task, Teacher: true, Student: student(p, k)})
		}
	}
	return out
}

func TestGate(t *testing.T) {
	limit := .05
	colorLost := answers(400, func(p, k int) bool { return k != 0 || p%10 != 0 }) // color loses 10 points, style none
	g, err := NewGate(colorLost, .04, nil, "validation", 1)
	require.NoError(t, err)
	assert.InDelta(t, .05, g.Drop, 1e-12)
	assert.InDelta(t, .10, g.Tasks["color"].Drop, 1e-12)
	assert.Equal(t, Drop{}, g.Tasks["style"])
	assert.Greater(t, g.Drop, g.Alpha)

	passed, task := g.Passed()
	assert.True(t, passed, "5 points lost with an interval from %.3f: not beyond 4 points for certain", g.CI[0])
	assert.Empty(t, task)

	g.Alpha = .02
	passed, task = g.Passed()
	assert.False(t, passed)
	assert.Empty(t, task, "the overall drop failed")

	g.Alpha, g.AlphaTask = .06, &limit
	passed, task = g.Passed()
	assert.False(t, passed)
	assert.Equal(t, "color", task)

	_, err = NewGate(nil, .01, nil, "validation", 1)
	assert.ErrorContains(t, err, "validation")
}

// The questions of a picture are one draw, however many there are.
func TestGateGroupsAnswersByPicture(t *testing.T) {
	var one, five []Answer
	for p := range 300 {
		a := Answer{Picture: p, Task: "color", Teacher: true, Student: p%7 != 0}
		one = append(one, a)
		for range 5 {
			five = append(five, a)
		}
	}
	a, err := NewGate(one, .1, nil, "validation", 4)
	require.NoError(t, err)
	b, err := NewGate(five, .1, nil, "validation", 4)
	require.NoError(t, err)
	assert.InDelta(t, a.CI[0], b.CI[0], 1e-12)
	assert.InDelta(t, a.CI[1], b.CI[1], 1e-12)
}
