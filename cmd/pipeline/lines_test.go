package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"espalier/pipeline/event"
	"espalier/pipeline/report"
)

var start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func TestTimeLeft(t *testing.T) {
	var k tracker
	k.progress(event.Progress{Done: 100, Total: 200}, start)
	_, known := k.left(start.Add(time.Second))
	assert.False(t, known, "one event has no pace")

	// Resumed at 100: twenty steps took ten seconds, so the eighty that are left take forty.
	k.progress(event.Progress{Done: 120, Total: 200}, start.Add(10*time.Second))
	left, known := k.left(start.Add(10 * time.Second))
	assert.True(t, known)
	assert.Equal(t, 40*time.Second, left)

	// Another pass of the same phase starts counting anew, and is timed anew.
	k.progress(event.Progress{Done: 0, Total: 50}, start.Add(20*time.Second))
	k.progress(event.Progress{Done: 25, Total: 50}, start.Add(25*time.Second))
	left, _ = k.left(start.Add(25 * time.Second))
	assert.Equal(t, 5*time.Second, left)
}

func TestLines(t *testing.T) {
	loss := .31234
	k := tracker{phase: event.Phase{Stage: "hidden", Name: "distil", Detail: "cut 2/4"}, began: start}
	assert.Equal(t, "hidden   distil cut 2/4    3.0 s", k.summary(start.Add(3*time.Second)), "nothing was counted")
	k.progress(event.Progress{Done: 0, Total: 200, Unit: "steps"}, start)
	k.progress(event.Progress{Done: 50, Total: 200, Unit: "steps", Loss: &loss}, start.Add(10*time.Second))
	assert.Equal(t, "hidden   distil cut 2/4    50/200 steps · loss 0.3123 · 30 s left", k.status(start.Add(10*time.Second)))
	assert.Equal(t, "run      data              1.0 s", (&tracker{phase: event.Phase{Name: "data"}, began: start}).summary(start.Add(time.Second)))
	tiny := 2.5e-6
	k.last.Loss = &tiny
	assert.Equal(t, "hidden   distil cut 2/4    50/200 steps · loss 2.5e-06 · 10 s", k.summary(start.Add(10*time.Second)))
}

func TestResults(t *testing.T) {
	model := report.Model{Parameters: 1234, Accuracy: report.Accuracy{"overall": .5}}
	for want, e := range map[string]event.Event{
		"teacher  measured          1.23k · 50.0 % right":                          event.TeacherMeasured{Model: model},
		"inner    pruned            1.23k · 50.0 % right":                          event.StageMeasured{Stage: "inner", When: event.Pruned, Model: model},
		"hidden   cut 2/4           1.23k · slice − mask 1.5e-13 · vision 92":      event.Cut{Stage: "hidden", Cut: 2, Of: 4, Parameters: 1234, SliceMaskMaxDiff: 1.5e-13, Left: "vision 92"},
		"hidden   gate              lost: drop 2.0 points (1.0 to 3.0), alpha 0.5": event.GateResult{Stage: "hidden", Gate: report.Gate{Limits: report.Limits{Alpha: .005}, Verdict: report.Lost, Drop: .02, CI: [2]float64{.01, .03}}},
		"": event.Finished{},
	} {
		assert.Equal(t, want, result(e))
	}
}
