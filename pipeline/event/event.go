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

// GateResult is the gate of a stage, or of a further try after one that has not passed.
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

// Mean is a running mean of losses, for [Progress].
type Mean struct {
	value float64
	begun bool
}

// Add takes a loss in and gives the mean.
func (m *Mean) Add(v float64) *float64 {
	if !m.begun {
		m.value, m.begun = v, true
	}
	m.value += .05 * (v - m.value)
	out := m.value
	return &out
}
