package report

import "slices"

// The ways in which the method fails, by name.
const (
	DropAboveAlpha   = "drop above alpha"
	NoRecovery       = "no recovery by distillation"
	SmallerNotFaster = "smaller but not faster"
	TaskCollapsed    = "task collapsed" // and its name behind it
)

// FailuresAfter names what went wrong in a stage that began with a model: the gate says lost; the cut cost accuracy, more than alpha,
// of which the distillation won back less than a tenth; a task collapsed.
func (s Stage) FailuresAfter(before Model) (names []string) {
	if s.Gate.Verdict == Lost {
		names = append(names, DropAboveAlpha)
	}
	cost := before.Accuracy[Overall] - s.Pruned.Accuracy[Overall]
	if won := s.Distilled.Accuracy[Overall] - s.Pruned.Accuracy[Overall]; cost > s.Gate.Alpha && won < cost/10 {
		names = append(names, NoRecovery)
	}
	for _, task := range s.Gate.Collapsed {
		names = append(names, TaskCollapsed+": "+task)
	}
	return names
}

// Told are the stage's failures for the reader, with the one that a report does not keep.
func (s Stage) Told(before Model) []string {
	if s.Distilled.NotFaster(before) {
		return append(slices.Clone(s.Failures), SmallerNotFaster)
	}
	return s.Failures
}

// NotFaster tells whether a model has a tenth of the parameters less than another, or even fewer, and still does not answer faster. It
// is no part of report.json: equal runs take unequal times.
func (m Model) NotFaster(before Model) bool {
	return m.Parameters <= before.Parameters*9/10 && m.LatencyMS.P50 >= before.LatencyMS.P50
}

// Accepted is the last stage that was accepted; nil where none was.
func (r *Report) Accepted() *Stage {
	for i := len(r.Stages) - 1; i >= 0; i-- {
		if r.Stages[i].Accepted {
			return &r.Stages[i]
		}
	}
	return nil
}
