package report

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestNumbers(t *testing.T) {
	for want, got := range map[string]string{
		"3,044,640": count(3044640), "164,412": count(164412), "999": count(999), "-1,000": count(-1000),
		"3.04M": rough(3044640), "164k": rough(164412), "1.00M": rough(999_600), "12.3M": rough(12_345_678), "5.40B": rough(5_400_000_000), "12": rough(12), "1.00k": rough(1000),
		"18.5×": times(18.517), "1.0×": times(1), "12.18": megabytes(12178560),
		"7.64": milliseconds(7.642), "12.3": milliseconds(12.34), "700": milliseconds(700.4),
		"9.5": rate(9.51), "13,600": rate(13599.7),
		"97.6": percent(Accuracy{"overall": .9764}, Overall),
		"+0.2": change(Accuracy{"a": .976}, Accuracy{"a": .978}, "a"),
		"−3.1": change(Accuracy{"a": .570}, Accuracy{"a": .539}, "a"),
		"2.1":  points(.0214), "−0.2": points(-.0016), "0.0": points(-.0001),
		"−0.9 to 0.5": interval([2]float64{-.009, .0049}),
		"8.2 s":       Duration(8.24), "10 s": Duration(9.96), "59 s": Duration(59.4), "1 min 00 s": Duration(59.6),
		"5 min 03 s": Duration(303), "1 h 00 min": Duration(3599.6), "2 h 07 min": Duration(7620),
	} {
		assert.Equal(t, want, got)
	}
	assert.Equal(t, none, change(Accuracy{}, Accuracy{"a": 1}, "a"), "an unknown is not a change of 0")
	assert.Equal(t, none, times(0))
}

func TestLines(t *testing.T) {
	r := example()
	assert.Equal(t, "3.04M · 97.6 % right, ood 57.0 % · 7.64 ms · 1,217/s", r.Teacher.Line())
	assert.Equal(t, "1.57M · 70.8 % right, ood 55.5 %", r.Stages[0].Pruned.Line())
	assert.Equal(t, "1.57M · slice − mask 2.1e-13", r.Stages[0].Cuts[0].Line())
	g := r.Stages[1].Gate
	assert.Equal(t, "held: drop 3.1 points (2.1 to 4.3), alpha 6.0", g.Line())
	assert.Equal(t, "held", g.word())
	g.Alpha, g.Verdict, g.PicturesNeeded = .035, Undecided, 4321
	assert.Equal(t, "undecided: drop 3.1 points (2.1 to 4.3), alpha 3.5; 4,321 pictures would decide", g.Line())
	g.Alpha, g.Verdict, g.PicturesNeeded = .01, Lost, 0
	assert.Equal(t, "lost: drop 3.1 points (2.1 to 4.3), alpha 1.0", g.Line())
	limit := .02
	g.Alpha, g.AlphaTask, g.Tasks = .06, &limit, map[string]Drop{"color": {.05, [2]float64{.03, .07}, Lost}, "style": {.06, [2]float64{.04, .08}, Lost}}
	assert.Equal(t, "lost: drop of style 6.0 points (4.0 to 8.0), alpha_task 2.0", g.Line())
	assert.Equal(t, "lost: style", g.word())
}

func TestTablesAreRectangular(t *testing.T) {
	tables := example().Tables()
	assert.Len(t, tables, 4)
	for _, table := range tables {
		for _, row := range table.Rows {
			assert.Len(t, row, len(table.Columns), table.Title)
		}
	}
	bare := &Report{Teacher: example().Teacher, Student: example().Teacher}
	bare.Teacher.AccuracyByCategory = nil
	assert.Len(t, bare.Tables(), 2, "no stage, no category: no empty tables")
	assert.NotPanics(t, func() { bare.Facts() })
}

// A stage that was tried again shows each try, and the facts name what failed and whose student the run ends with.
func TestTriesAndFailures(t *testing.T) {
	r := example()
	assert.Contains(t, r.Facts()[0], "on the validation split, undecided: drop −0.1 points", "nothing failed")
	s := &r.Stages[2]
	lost := s.Gate
	lost.Verdict, lost.Drop, lost.CI = Lost, .034, [2]float64{.02, .048}
	s.Attempts, s.Accepted, s.Gate = 2, false, lost
	s.Tried = []Try{{"as configured", lost, false}, {"1000 more steps", lost, false}}
	s.Failures = s.FailuresAfter(r.Stages[1].Distilled)
	r.Student, r.Ratio = r.Stages[1].Distilled, RatioOf(r.Teacher, r.Stages[1].Distilled)
	assert.NoError(t, r.Check())
	table := r.Tables()[2]
	assert.Equal(t, [][]string{{"3 hidden", "as configured", "3.4", "2.0 to 4.8", "lost", "no"}, {"3 hidden", "1000 more steps", "3.4", "2.0 to 4.8", "lost", "no"}}, table.Rows)
	assert.Equal(t, []string{"failed in stage 3 hidden: drop above alpha", "on the validation split, held: drop 3.1 points (2.1 to 4.3), alpha 6.0"}, r.Facts()[:2])
	s.Tried = s.Tried[:1]
	assert.ErrorContains(t, r.Check(), `stages[2] "hidden".tried has 1 tries, and the stage 2`)
}

// A stage whose accepted tries each had a task that collapsed is the one of these that lost least, wherever it stands among its tries.
func TestAStageOfAnEarlierTry(t *testing.T) {
	r := example()
	s := &r.Stages[2]
	lost, more := s.Gate, s.Gate
	lost.Verdict, lost.Drop, lost.CI = Lost, .034, [2]float64{.02, .048}
	more.Drop = .001
	s.Attempts, s.Tried = 4, []Try{{"as configured", lost, false}, {"1000 more steps", s.Gate, true}, {"the same size in 8 cuts", more, true}, {"half of the cut, in 8 cuts", lost, false}}
	assert.NoError(t, r.Check())
	assert.Equal(t, 1, s.Try())
	var accepted []string
	for _, row := range r.Tables()[2].Rows {
		accepted = append(accepted, row[5])
	}
	assert.Equal(t, []string{"no", "yes", "yes, but another lost less", "no"}, accepted)
	s.Tried[1].Gate = more
	assert.ErrorContains(t, r.Check(), `stages[2] "hidden".tried has no try with the stage's gate where accepted is true`)
	s.Accepted, s.Gate, s.Tried[3].Gate = false, lost, more
	assert.ErrorContains(t, r.Check(), `where accepted is false`, "where none is accepted the stage is the last try")
}

func TestFailuresByName(t *testing.T) {
	model := func(accuracy, ms float64, parameters int64) Model {
		return Model{Accuracy: Accuracy{Overall: accuracy}, LatencyMS: Latency{P50: ms}, Parameters: parameters}
	}
	for name, c := range map[string]struct {
		verdict           Verdict
		pruned, distilled Model
		want              []string
	}{
		"nothing":            {Held, model(.4, 0, 50), model(.9, 3, 50), nil},
		"drop above alpha":   {Lost, model(.4, 0, 50), model(.7, 3, 50), []string{DropAboveAlpha}},
		"no recovery":        {Lost, model(.4, 0, 50), model(.41, 3, 50), []string{DropAboveAlpha, NoRecovery}},
		"nothing to recover": {Held, model(.895, 0, 50), model(.894, 3, 50), nil},
	} {
		s := Stage{Gate: Gate{Limits: Limits{Alpha: .02}, Verdict: c.verdict}, Pruned: c.pruned, Distilled: c.distilled}
		assert.Equal(t, c.want, s.FailuresAfter(model(.9, 5, 100)), name)
	}
	assert.True(t, model(.9, 5.1, 50).NotFaster(model(.9, 5, 100)))
	assert.False(t, model(.9, 4.9, 50).NotFaster(model(.9, 5, 100)))
	assert.False(t, model(.9, 5.1, 100).NotFaster(model(.9, 5, 100)), "it is not smaller either")
}
