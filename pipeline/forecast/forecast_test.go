package forecast

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"espalier/pipeline/config"
	"espalier/pipeline/event"
	"espalier/pipeline/report"
)

// timed plays a rehearsal: each entry is an event and how many seconds pass after it.
type timed struct {
	event   event.Event
	seconds float64
}

func play(all ...timed) []*Phase {
	now := time.Unix(0, 0)
	c := &Clock{now: func() time.Time { return now }}
	for _, t := range all {
		c.Event(t.event)
		now = now.Add(time.Duration(t.seconds * float64(time.Second)))
	}
	c.End()
	return c.Phases()
}

// training is that of some fast steps and then some slow ones; what is done once takes 5 s.
func training(name event.Phase, first, second int, fast, slow float64) []timed {
	all := []timed{{name, 5}}
	for i := range first + second {
		each := slow
		if i < first {
			each = fast
		}
		all[len(all)-1].seconds += each
		all = append(all, timed{event.Progress{Done: i + 1, Total: first + second, Unit: "steps"}, 0})
	}
	return all
}

// What is done once is counted once, and each kind of step as often as there are of it.
func TestPhasesGrowByTheirUnits(t *testing.T) {
	p := play(training(event.Phase{Stage: "teacher", Name: "train", Detail: "learn"}, 3, 3, .5, 2)...)[0]
	assert.InDelta(t, 5+3*.5+3*2, p.Seconds, 1e-6)
	assert.InDelta(t, 5+100*.5+1000*2, p.With(1100, 100, 3), 1e-6)
	assert.InDelta(t, p.Seconds, p.With(6, 3, 3), 1e-6)

	alone := play(timed{event.Phase{Name: "score"}, 1}, timed{event.Progress{Done: 1, Total: 1}, 3})[0]
	assert.InDelta(t, 8, alone.With(2, 0, 0), 1e-6, "of a single lap all is taken for the unit's")
	assert.InDelta(t, 4, play(timed{event.Phase{Name: "none"}, 4})[0].With(100, 0, 0), 1e-6, "where nothing is counted, nothing grows")
}

// A whole run is foretold from a rehearsal of it.
func TestLines(t *testing.T) {
	full, small := config.Default(), config.Default()
	full.Teacher.Train, small.Teacher.Train = config.DefaultTrain(), config.DefaultTrain()
	small.Teacher.Train.PretrainSteps, small.Teacher.Train.Steps, small.Teacher.Train.RefineSteps = 2, 2, 2
	s := config.DefaultStage()
	s.Name, s.Cuts, s.Distil.Steps, s.Candidates = "hidden", 2, 300, &[]string{}
	full.Stages, small.Stages = config.Stages{s}, config.Stages{s}
	small.Eval.LatencyRuns, small.Eval.LatencyWarmup = 10, 0
	full.Eval.LatencyWarmup = 0

	var all []timed
	all = append(all, training(event.Phase{Stage: "teacher", Name: "train", Detail: "learn"}, 2, 2, 1, 2)...)
	all = append(all, training(event.Phase{Stage: "teacher", Name: "train", Detail: "refine"}, 0, 2, 0, 2)...)
	all = append(all, timed{event.Phase{Stage: "teacher", Name: "measure", Detail: "on test"}, 1},
		timed{event.Progress{Done: 64, Total: 128, Unit: "pictures"}, 1}, timed{event.Progress{Done: 128, Total: 128, Unit: "pictures"}, 1})
	all = append(all, timed{event.Phase{Stage: "teacher", Name: "measure", Detail: "speed"}, 2 + .01*10*measureRounds},
		timed{event.TeacherMeasured{Model: report.Model{LatencyMS: report.Latency{P50: 10}}}, 0})
	for _, cut := range []string{"cut 1/2", "cut 2/2"} {
		all = append(all, timed{event.Phase{Stage: "hidden", Name: "score", Detail: cut}, .5},
			timed{event.Progress{Done: 1, Total: 2, Unit: "batches"}, 3}, timed{event.Progress{Done: 2, Total: 2, Unit: "batches"}, 3.5})
		all = append(all, training(event.Phase{Stage: "hidden", Name: "distil", Detail: cut}, 0, 2, 0, .1)...)
	}
	phases := play(all...)
	lines := Lines(Work{Config: full, Rehearsed: small, Names: []string{"hidden"}, Train: 1000, Splits: map[string]int{"test": 640}}, phases)
	byName := map[string]Line{}
	for _, l := range Merged(lines) {
		byName[l.Stage+" "+l.What] = l
	}
	assert.InDelta(t, 5+300*1+600*2+5+400*2, byName["teacher train"].Seconds, 1e-6)
	assert.Equal(t, 1300, byName["teacher train"].Amount)
	rounds := 1.               // 300 answers of 10 ms take more than the span in one
	together := 5*.1 - 5*.01/3 // rounds of a tenth of a second, of which ten answers had a thirtieth
	assert.InDelta(t, 1+640./64, byName["teacher measure"].Seconds-(2+rounds*300*.01+together), 1e-6, "pictures, and then answers one by one")
	assert.InDelta(t, 2*(1+8*3), byName["hidden score"].Seconds, 1e-6, "256 pictures are 8 batches")
	assert.InDelta(t, 2*5+300*.1, byName["hidden distil"].Seconds, 1e-6)
	assert.Equal(t, 300, byName["hidden distil"].Amount)
	assert.InDelta(t, Seconds(lines), Seconds(lines[:1])+Seconds(lines[1:]), 1e-9)
}

// What is rehearsed at other sizes than the run's mean takes more or less by what it weighs; a measurement of speed does not.
func TestLinesOfOtherSizes(t *testing.T) {
	distil, speed := event.Phase{Stage: "a", Name: "distil", Detail: "cut 1/1"}, event.Phase{Stage: "a", Name: "measure", Detail: "distilled speed"}
	weighing := func(weight float64) []event.Work {
		return []event.Work{{Stage: "a", Phase: "distil", Detail: "cut 1/1", Times: 1, Weight: weight}, {Stage: "a", Phase: "measure", Detail: "distilled speed", Times: 1, Weight: weight}}
	}
	c := config.Default()
	w := Work{Config: c, Rehearsed: c, Mean: weighing(3), Rehearsal: weighing(4)}
	lines := Lines(w, play(timed{distil, 8}, timed{speed, 8}))
	assert.InDelta(t, 6, lines[0].Seconds, 1e-9)
	assert.InDelta(t, 8, lines[1].Seconds, 1e-9)
}

// What was not reached takes as long for its weight as what was: as other work of its kind where there is some.
func TestRest(t *testing.T) {
	phases := play(timed{event.Phase{Stage: "a", Name: "score", Detail: "cut 1/1"}, 2}, timed{event.Phase{Stage: "a", Name: "distil", Detail: "cut 1/1"}, 8})
	c := config.Default()
	Lines(Work{Config: c, Rehearsed: c}, phases)
	work := func(stage, phase, detail string, times int, weight float64) event.Work {
		return event.Work{Stage: stage, Phase: phase, Detail: detail, Times: times, Weight: weight}
	}
	rest := Rest([]event.Work{work("a", "score", "cut 1/1", 1, 1), work("a", "distil", "cut 1/1", 1, 2), work("b", "score", "cut 1/1", 1, 3),
		work("b", "distil round 1", "", 2, 1), work("b", "measure", "on test", 1, 1.5), work("target", "score a", "", 3, 1)}, phases)
	assert.Equal(t, []Line{{Stage: "b", What: "score", Seconds: 6}, {Stage: "b", What: "candidates", Seconds: 8},
		{Stage: "b", What: "measure", Seconds: 5}, {Stage: "target", What: "divisions tried", Seconds: 6}}, rest)
	assert.Empty(t, Rest([]event.Work{work("b", "score", "", 1, 1)}, nil), "nothing is known")
}

// measureRounds is in how many rounds ten answers of 10 ms are timed.
const measureRounds = 5
