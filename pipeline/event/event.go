// Package event is what a run tells while it goes on.
package event

import (
	"fmt"

	"espalier/pipeline/report"
)

// Event is something a run has to tell while it goes on. cmd/ draws events, tests collect them; a run does not
// depend on anyone listening. The types below are all there are.
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
// the losses.
func (f Events) Steps(total int) func(step int, loss float64) {
	var mean *float64
	return func(step int, loss float64) {
		if mean != nil {
			loss = *mean + .05*(loss-*mean)
		}
		mean = &loss
		f.Emit(Progress{Done: step, Total: total, Unit: "steps", Loss: mean})
	}
}

// Phase begins a piece of work, and ends the one before it. Stage is "teacher" or a stage's name, or empty for
// what concerns the whole run; Name is what is done ("train", "score", "distil", "measure"); Detail may add
// which part of it ("cut 2/4").
type Phase struct{ Stage, Name, Detail string }

// Progress says how far the present phase is. The first one of a phase may have Done above 0 when the run goes on
// from a checkpoint.
type Progress struct {
	Done, Total int
	Unit        string   // what is counted: "steps", "pictures"
	Loss        *float64 // where there is one; smoothed by the sender
}

// TeacherMeasured comes once, before the first stage.
type TeacherMeasured struct{ Model report.Model }

// Cut is a cut that has been made and proved: Cut of Of within its stage.
type Cut struct {
	Stage            string
	Cut, Of          int
	Parameters       int64
	SliceMaskMaxDiff float64
	Kept             string // what is left, as "vision 116, qformer 92, language 92"
}

// When says which side of a stage's distillation a measurement was made on.
type When string

const (
	Pruned    When = "pruned"
	Distilled When = "distilled"
)

// StageMeasured is a student measured on the test split.
type StageMeasured struct {
	Stage string
	When  When
	Model report.Model
}

// GateResult is a stage's gate; the run ends on one that has not passed.
type GateResult struct {
	Stage  string
	Gate   report.Gate
	Passed bool
}

// Note is a line for the reader: what was found, resumed, or looks wrong without being an error.
type Note struct{ Text string }

// Finished is the last event of a run that has a report.
type Finished struct{ Report *report.Report }

func (Phase) event()           {}
func (Progress) event()        {}
func (TeacherMeasured) event() {}
func (Cut) event()             {}
func (StageMeasured) event()   {}
func (GateResult) event()      {}
func (Note) event()            {}
func (Finished) event()        {}
