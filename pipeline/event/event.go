// Package event is what a run tells while it goes on.
package event

import (
	"fmt"
	"math"
	"strings"

	"espalier/distillation"
	"espalier/pipeline/report"
)

// Event is something a run has to tell while it goes on. cmd/ draws events, the journal writes them down, tests collect them; a
// run does not depend on anyone listening. The types below, and [Start] and [End], are all there are.
type Event interface{ event() }

// Events receives them one at a time, on the goroutine that computes: it must be quick. Nil listens to nothing.
type Events func(Event)

// Emit passes an event on when somebody listens.
func (f Events) Emit(e Event) {
	if f != nil {
		f(e)
	}
}

// Note emits a line for the reader.
func (f Events) Note(format string, args ...any) { f.Emit(Note{fmt.Sprintf(format, args...)}) }

// Steps makes a function that a training calls after each of so many steps: it emits how far that is, with a running mean of
// the losses. A loss that is no number has no part in the mean.
func (f Events) Steps(total int) func(step int, loss float64) {
	var mean *float64
	return func(step int, loss float64) {
		switch {
		case math.IsNaN(loss) || math.IsInf(loss, 0):
		case mean == nil:
			mean = &loss
		default:
			loss = *mean + .05*(loss-*mean)
			mean = &loss
		}
		f.Emit(Progress{Done: step, Total: total, Unit: "steps", Loss: mean})
	}
}

// Points emits points of the present phase's curves.
func (f Events) Points(points []distillation.Point) { f.Emit(Curve{Points: points}) }

// Phase begins a piece of work, and ends the one before it. Stage is "teacher" or a stage's name, or empty for
// what concerns the whole run; Name is what is done ("train", "score", "distil", "measure"); Detail may add
// which part of it ("cut 2/4").
type Phase struct{ Stage, Name, Detail string }

// Title is what is done, and which part of it.
func (p Phase) Title() string { return strings.TrimSpace(p.Name + " " + p.Detail) }

// Progress says how far the present phase is. The first one of a phase may have Done above 0 when the run goes on
// from a checkpoint.
type Progress struct {
	Done  int      `json:"done"`
	Total int      `json:"total"`
	Unit  string   `json:"unit,omitempty"` // what is counted: "steps", "pictures"
	Loss  *float64 `json:"loss,omitempty"` // where there is one; smoothed by the sender
}

// Curve is a piece of a training's curves: of the present phase, or of Phase, where its result was kept.
type Curve struct {
	Phase  Phase                `json:"-"`
	Kept   bool                 `json:"kept"`
	Points []distillation.Point `json:"points"`
}

// Step is a step of the chain that has its result: one that was kept, or one that has just been computed. Seconds are what it took
// to compute, whenever that was.
type Step struct {
	At      string  `json:"at"` // as "hidden/distil 2"
	Kept    bool    `json:"kept"`
	Seconds float64 `json:"seconds"`
}

// TeacherMeasured comes once, before the first stage.
type TeacherMeasured struct {
	Kept  bool         `json:"kept"`
	Model report.Model `json:"model"`
}

// Cut is a cut that has been made and proved: Cut of Of within its stage.
type Cut struct {
	Stage            string  `json:"-"`
	Cut              int     `json:"cut"`
	Of               int     `json:"of"`
	Kept             bool    `json:"kept"`
	Parameters       int64   `json:"parameters"`
	SliceMaskMaxDiff float64 `json:"slice_mask_max_diff"`
	Left             string  `json:"left"` // of what was cut, as "vision 116, qformer 92, language 92"
}

// Chosen tells which way to score a stage takes, of those that it tried.
type Chosen struct {
	Stage      string             `json:"-"`
	Candidates []report.Candidate `json:"candidates"`
}

// Divided tells the divisions that meet a target, before any is tried; Seconds is what the search took.
type Divided struct {
	Target  report.Target `json:"target"`
	Seconds float64       `json:"seconds"`
}

// Tried is a division after its short training; Target is the target's name, or "target".
type Tried struct {
	Target   string          `json:"of"`
	Division report.Division `json:"division"`
}

// When says which side of a stage's distillation a measurement was made on.
type When string

const (
	Pruned    When = "pruned"
	Distilled When = "distilled"
)

// StageMeasured is a student measured on the test split.
type StageMeasured struct {
	Stage string       `json:"-"`
	When  When         `json:"when"`
	Kept  bool         `json:"kept"`
	Model report.Model `json:"model"`
}

// GateResult is the gate of a stage, or of a further try after one that has not passed.
type GateResult struct {
	Stage  string      `json:"-"`
	Kept   bool        `json:"kept"` // the student's answers were
	Gate   report.Gate `json:"gate"`
	Passed bool        `json:"passed"`
}

// Note is a line for the reader: what was found, resumed, or looks wrong without being an error.
type Note struct {
	Text string `json:"text"`
}

// Finished is the last event of a run that has a report.
type Finished struct{ Report *report.Report }

func (Phase) event()           {}
func (Progress) event()        {}
func (Curve) event()           {}
func (Step) event()            {}
func (TeacherMeasured) event() {}
func (Cut) event()             {}
func (Chosen) event()          {}
func (Divided) event()         {}
func (Tried) event()           {}
func (StageMeasured) event()   {}
func (GateResult) event()      {}
func (Note) event()            {}
func (Finished) event()        {}
