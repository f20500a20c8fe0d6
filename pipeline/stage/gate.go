package stage

import (
	"fmt"

	"espalier/model"
	"espalier/pipeline/config"
	"espalier/pipeline/fault"
	"espalier/pipeline/report"
)

// GateError says that a stage was not accepted. cmd/pipeline ends with status 3 on it.
type GateError struct {
	Stage string // the stage's name
	Gate  report.Gate
	Kept  string // the stage whose student the run ends with; empty: it is the teacher itself
}

func (e *GateError) Error() string {
	task, _, _ := e.Gate.Deciding()
	key := "alpha"
	if task != "" {
		key = "alpha_task"
	}
	remedy := "give the stage more distil.steps, keep more units, or raise " + key
	if e.Gate.Verdict == report.Undecided {
		remedy = `give the gate more pictures (data.validation), raise ` + key + `, or take gate = "not lost"`
	}
	kept := "the uncut teacher"
	if e.Kept != "" {
		kept = fmt.Sprintf("that of stage %q", e.Kept)
	}
	return fmt.Sprintf("stage %q was not accepted on the %s split (%s), and the student is %s: %s", e.Stage, e.Gate.Split, e.Gate.Line(), kept, remedy)
}

// stored is a student as its checkpoint will hold it.
func stored(cfg *config.Config, student model.Network, dtypes model.Dtypes) (model.Network, error) {
	n, err := model.Stored(student, dtypes)
	if err != nil {
		return nil, fault.Inputf("export.dtype = %q: %w", cfg.Export.DType, err)
	}
	return n, nil
}
