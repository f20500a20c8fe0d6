package main

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-runewidth"

	"espalier/pipeline/event"
	"espalier/pipeline/report"
)

// tracker follows one phase: how far it is and how long it will take. Its lock is its own: a bar reads it while the
// display's lock is held by whoever ends that bar.
type tracker struct {
	sync.Mutex
	phase       event.Phase
	last        event.Progress
	began       time.Time
	first       int       // Done of the first progress: above 0 when the run goes on from a checkpoint
	firstAt     time.Time // and when that was
	lastAt      time.Time // of the last one
	hasProgress bool
	rest        *rest // of the run; nil where that is not known. It does not change
}

func (t *tracker) progress(p event.Progress, now time.Time) {
	// A phase that starts counting anew (another pass, another split) is timed anew.
	if !t.hasProgress || p.Done < t.last.Done || p.Total != t.last.Total {
		t.first, t.firstAt, t.hasProgress = p.Done, now, true
	}
	t.last, t.lastAt = p, now
}

// left is the time that the rest takes at the pace so far; not known before two progress events.
func (t *tracker) left(now time.Time) (time.Duration, bool) {
	done, spent := t.last.Done-t.first, now.Sub(t.firstAt)
	if done <= 0 || spent <= 0 {
		return 0, false
	}
	return time.Duration(float64(spent) / float64(done) * float64(t.last.Total-t.last.Done)), true
}

func (t *tracker) name() string {
	return strings.TrimSpace(t.phase.Name + " " + t.phase.Detail)
}

func (t *tracker) counted() string {
	if t.last.Total <= 0 {
		return ""
	}
	return strings.TrimSpace(fmt.Sprintf("%d/%d %s", t.last.Done, t.last.Total, t.last.Unit))
}

func (t *tracker) loss() string {
	if t.last.Loss == nil {
		return ""
	}
	if *t.last.Loss != 0 && math.Abs(*t.last.Loss) < .001 {
		return fmt.Sprintf("loss %.1e", *t.last.Loss)
	}
	return fmt.Sprintf("loss %.4f", *t.last.Loss)
}

// remaining says how long the phase takes, and the run; the phase's own time so far where neither is known.
func (t *tracker) remaining(now time.Time) (phase, run string) {
	if d, known := t.left(now); known {
		phase = report.Duration(d.Seconds()) + " left"
	}
	if d, known := t.over(now); known {
		run = "all ~" + report.Duration(d.Seconds())
	}
	return phase, run
}

// timed puts the two together, as "54 s left, all ~12 min".
func timed(phase, run string) string {
	if phase == "" || run == "" {
		return phase + run
	}
	return phase + ", " + run
}

// beside is what stands behind a bar: as much as leaves room for it.
func (t *tracker) beside(now time.Time, room int) string {
	phase, run := t.remaining(now)
	if phase == "" {
		phase = report.Duration(now.Sub(t.began).Seconds())
	}
	both := timed(phase, run)
	for _, parts := range [][]string{{t.counted(), t.loss(), both}, {t.counted(), both}, {both}, {phase}} {
		if text := "  " + joined(parts...); runewidth.StringWidth(text)+leastBar <= room {
			return text
		}
	}
	return " " + phase
}

// summary is the line that stays when the phase is over.
func (t *tracker) summary(now time.Time) string {
	return line(t.phase.Stage, t.name(), joined(t.counted(), t.loss(), report.Duration(now.Sub(t.began).Seconds())))
}

// status is the line for a reader without bars.
func (t *tracker) status(now time.Time) string {
	phase, run := t.remaining(now)
	return line(t.phase.Stage, t.name(), joined(t.counted(), t.loss(), timed(phase, run)))
}

// result is what an event leaves on the screen; the empty text is nothing.
func result(e event.Event) string {
	switch e := e.(type) {
	case event.TeacherMeasured:
		return line("teacher", "measured", e.Model.Line())
	case event.Cut:
		cut := report.Cut{Parameters: e.Parameters, SliceMaskMaxDiff: e.SliceMaskMaxDiff}
		return line(e.Stage, fmt.Sprintf("cut %d/%d", e.Cut, e.Of), joined(cut.Line(), e.Left))
	case event.Chosen:
		return line(e.Stage, "chosen", report.Choice(e.Candidates))
	case event.Tried:
		return line(e.Target, "tried", e.Division.Line())
	case event.StageMeasured:
		return line(e.Stage, string(e.When), e.Model.Line())
	case event.GateResult:
		return line(e.Stage, "gate", e.Gate.Line())
	}
	return ""
}

// line sets a stage, what is done in it, and its text in columns.
func line(stage, name, text string) string {
	return strings.TrimRight(heading(stage, name)+text, " ")
}

// heading leaves room for "measure distilled"; what belongs to no stage is the run's.
func heading(stage, name string) string {
	if stage == "" {
		stage = "run"
	}
	return fmt.Sprintf("%-8s %-17s ", stage, name)
}

func joined(parts ...string) string {
	var some []string
	for _, p := range parts {
		if p != "" {
			some = append(some, p)
		}
	}
	return strings.Join(some, " · ")
}
