package report

// The ways in which the method fails, by name.
const (
	DropAboveAlpha   = "drop above alpha"
	NoRecovery       = "no recovery by distillation"
	SmallerNotFaster = "smaller but not faster"
)

// FailuresAfter names what went wrong in a stage that began with a model: the gate says lost; the cut cost accuracy, more than alpha,
// of which the distillation won back less than a tenth; a tenth of the parameters or more went, and the latency did not fall.
func (s Stage) FailuresAfter(before Model) (names []string) {
	if s.Gate.Verdict == Lost {
		names = append(names, DropAboveAlpha)
	}
	cost := before.Accuracy[Overall] - s.Pruned.Accuracy[Overall]
	if won := s.Distilled.Accuracy[Overall] - s.Pruned.Accuracy[Overall]; cost > s.Gate.Alpha && won < cost/10 {
		names = append(names, NoRecovery)
	}
	if s.Distilled.Parameters <= before.Parameters*9/10 && s.Distilled.LatencyMS.P50 >= before.LatencyMS.P50 {
		names = append(names, SmallerNotFaster)
	}
	return names
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
