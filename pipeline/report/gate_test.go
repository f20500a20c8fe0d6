package report

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func answers(pictures int, student func(picture, task int) bool) []Answer {
	var out []Answer
	for p := range pictures {
		for k, task := range []string{"color", "style"} {
			out = append(out, Answer{Picture: p, Task: task, Teacher: true, Student: student(p, k)})
		}
	}
	return out
}

// 400 pictures lose 5 points over all and 10 in color: the interval is some 3.4 to 7.0 points, so each of these limits is far from
// its ends.
func TestVerdicts(t *testing.T) {
	colorLost := answers(400, func(p, k int) bool { return k != 0 || p%10 != 0 })
	limit := func(v float64) *float64 { return &v }
	for name, c := range map[string]struct {
		limits  Limits
		verdict Verdict
		passed  bool
		task    string
	}{
		"held":                       {Limits{.08, nil, NeedNotLost}, Held, true, ""},
		"undecided":                  {Limits{.05, nil, NeedNotLost}, Undecided, true, ""},
		"undecided, asked for proof": {Limits{.05, nil, NeedHeld}, Undecided, false, ""},
		"held, asked for proof":      {Limits{.08, nil, NeedHeld}, Held, true, ""},
		"lost":                       {Limits{.02, nil, NeedNotLost}, Lost, false, ""},
		"a task lost":                {Limits{.08, limit(.05), NeedNotLost}, Lost, false, "color"},
		"a task undecided":           {Limits{.08, limit(.10), NeedHeld}, Undecided, false, "color"},
		"tasks held":                 {Limits{.08, limit(.15), NeedHeld}, Held, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			g, err := NewGate(colorLost, c.limits, "validation")
			require.NoError(t, err)
			assert.InDelta(t, .05, g.Drop, 1e-12)
			assert.InDelta(t, .10, g.Tasks["color"].Drop, 1e-12)
			assert.Zero(t, g.Tasks["style"].Drop)
			assert.Equal(t, c.verdict, g.Verdict)
			assert.Equal(t, c.passed, g.Passed())
			task, _, _ := g.Deciding()
			assert.Equal(t, c.task, task)
			if c.verdict != Undecided {
				assert.Zero(t, g.PicturesNeeded)
			}
		})
	}
	_, err := NewGate(nil, Limits{}, "validation")
	assert.ErrorContains(t, err, "validation")
}

// No loss in a hundred pictures does not prove half a point; 736 of them do (.995⁷³⁶ is the first power below .025).
func TestPicturesNeeded(t *testing.T) {
	same := func(n int) []Answer { return answers(n, func(int, int) bool { return true }) }
	g, err := NewGate(same(100), Limits{Alpha: .005, Need: NeedHeld}, "validation")
	require.NoError(t, err)
	assert.Equal(t, Undecided, g.Verdict)
	assert.Equal(t, 736, g.PicturesNeeded)
	for n, want := range map[int]Verdict{735: Undecided, 736: Held} {
		g, err := NewGate(same(n), Limits{Alpha: .005, Need: NeedHeld}, "validation")
		require.NoError(t, err)
		assert.Equal(t, want, g.Verdict)
	}
	// A loss of exactly alpha stays undecided with any number.
	g, err = NewGate(answers(100, func(p, _ int) bool { return p%10 != 0 }), Limits{Alpha: .1, Need: NeedNotLost}, "validation")
	require.NoError(t, err)
	assert.Equal(t, Undecided, g.Verdict)
	assert.Zero(t, g.PicturesNeeded)
	// More of the same pictures decide where it says that they would, in both directions.
	for _, alpha := range []float64{.08, .12} {
		few := answers(100, func(p, k int) bool { return p%10 != 0 })
		g, err = NewGate(few, Limits{Alpha: alpha, Need: NeedNotLost}, "validation")
		require.NoError(t, err)
		require.Greater(t, g.PicturesNeeded, 100)
		more := answers(10*(g.PicturesNeeded/10+1), func(p, k int) bool { return p%10 != 0 })
		g, err = NewGate(more, Limits{Alpha: alpha, Need: NeedNotLost}, "validation")
		require.NoError(t, err)
		assert.NotEqual(t, Undecided, g.Verdict)
	}
}

// The questions of a picture are one draw, however many there are, and the order of the answers is nothing.
func TestGateGroupsAnswersByPicture(t *testing.T) {
	var one, five []Answer
	for p := range 300 {
		a := Answer{Picture: p, Task: "color", Teacher: true, Student: p%7 != 0}
		one = append(one, a)
		for range 5 {
			five = append(five, a)
		}
	}
	limits := Limits{Alpha: .1, Need: NeedNotLost}
	a, err := NewGate(one, limits, "validation")
	require.NoError(t, err)
	b, err := NewGate(five, limits, "validation")
	require.NoError(t, err)
	assert.InDelta(t, a.CI[0], b.CI[0], 1e-9)
	assert.InDelta(t, a.CI[1], b.CI[1], 1e-9)
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(five), func(i, j int) { five[i], five[j] = five[j], five[i] })
	shuffled, err := NewGate(five, limits, "validation")
	require.NoError(t, err)
	assert.Equal(t, b, shuffled)
}

// A task that lost most of what the teacher answers right has collapsed, also under a gate that holds; one that the teacher itself
// does not answer has nothing to lose.
func TestCollapsedTasks(t *testing.T) {
	of := func(every int) Gate {
		g, err := NewGate(answers(400, func(p, k int) bool { return k != 0 || p%every != 0 }), Limits{.6, nil, NeedNotLost}, "validation")
		require.NoError(t, err)
		assert.Equal(t, Held, g.Verdict)
		return g
	}
	assert.Equal(t, []string{"color"}, of(2).Collapsed)
	assert.Empty(t, of(4).Collapsed)
	assert.Equal(t, []string{TaskCollapsed + ": color"}, Stage{Gate: of(2)}.FailuresAfter(Model{}))

	none := answers(400, func(p, k int) bool { return false })
	for i := range none {
		none[i].Teacher = none[i].Task == "style"
	}
	g, err := NewGate(none, Limits{.6, nil, NeedNotLost}, "validation")
	require.NoError(t, err)
	assert.Equal(t, []string{"style"}, g.Collapsed)
}
