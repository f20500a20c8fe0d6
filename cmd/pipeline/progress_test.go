package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/event"
	"espalier/pipeline/report"
)

// clocked is a display without bars whose time the test sets.
func clocked() (*display, *bytes.Buffer, *time.Time) {
	now, out := start, &bytes.Buffer{}
	return &display{out: out, bold: plain, now: func() time.Time { return now }, clock: time.Now}, out, &now
}

func TestPlainLines(t *testing.T) {
	d, out, now := clocked()
	d.event(event.Phase{Stage: "teacher", Name: "train"})
	for i := range 601 {
		d.event(event.Progress{Done: i, Total: 600, Unit: "steps"})
		*now = now.Add(100 * time.Millisecond)
	}
	d.event(event.TeacherMeasured{Model: report.Model{Parameters: 10, Accuracy: report.Accuracy{"overall": 1}}})
	d.close()
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	// A minute in tenths of six seconds each: nine on the way, the summary, the result.
	require.Len(t, lines, 11)
	assert.Equal(t, "teacher  train             60/600 steps · 54 s left", lines[0])
	assert.Equal(t, "teacher  train             540/600 steps · 6.0 s left", lines[8])
	assert.Equal(t, "teacher  train             600/600 steps · 1 min 00 s", lines[9])
	assert.Equal(t, "teacher  measured          10 · 100.0 % right", lines[10])
}

func TestPlainLinesOfSlowAndFastPhases(t *testing.T) {
	d, out, now := clocked()
	d.event(event.Phase{Stage: "a", Name: "slow"})
	for i := range 100 { // 1 % every 10 s: a line every 30 s, not every tenth
		d.event(event.Progress{Done: i, Total: 100})
		*now = now.Add(10 * time.Second)
	}
	assert.Equal(t, 33, strings.Count(out.String(), "\n"))
	out.Reset()
	d.event(event.Phase{Stage: "a", Name: "fast"})
	out.Reset()
	for i := range 100 { // done within a second: its summary alone
		d.event(event.Progress{Done: i + 1, Total: 100})
		*now = now.Add(10 * time.Millisecond)
	}
	d.close()
	assert.Equal(t, "a        fast              100/100 · 1.0 s\n", out.String())
}

// A phase that a result has ended may still go on.
func TestProgressAfterAResult(t *testing.T) {
	d, out, now := clocked()
	d.event(event.Phase{Stage: "hidden", Name: "distil"})
	d.event(event.Progress{Done: 1, Total: 2})
	d.event(event.Cut{Stage: "hidden", Cut: 1, Of: 2, Parameters: 5})
	*now = now.Add(time.Second)
	d.event(event.Progress{Done: 2, Total: 2})
	d.close()
	assert.Equal(t, `hidden   distil            1/2 · 0.0 s
hidden   cut 1/2           5 · slice − mask 0.0e+00
hidden   distil            2/2 · 0.0 s
`, out.String())
}

// Bars are drawn and taken away again: what stays are the lines, each on its own.
func TestBarsLeaveLinesBehind(t *testing.T) {
	out := &bytes.Buffer{}
	d := &display{out: out, terminal: true, bold: plain, now: func() time.Time { return start }, clock: func() time.Time { return start }}
	d.event(event.Phase{Stage: "inner", Name: "distil"})
	loss := 1.5
	d.event(event.Progress{Done: 5, Total: 10, Unit: "steps", Loss: &loss})
	d.event(event.Note{Text: "a note"})
	d.event(event.Phase{Stage: "inner", Name: "measure"})
	d.close()
	d.close() // twice is harmless
	text := out.String()
	assert.Contains(t, text, "a note\n")
	assert.Contains(t, text, "inner    distil            5/10 steps · loss 1.5000 · 0.0 s\n")
	assert.True(t, strings.HasSuffix(text, "inner    measure           0.0 s\n"), text)
}
