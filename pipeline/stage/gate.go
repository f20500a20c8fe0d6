package stage

import (
	"fmt"

	"espalier/model"
	"espalier/pipeline/config"
	"espalier/pipeline/fault"
	"espalier/pipeline/report"
)

// GateError says that a stage's student lost more than its alpha allows. Accuracies are fractions of the
// questions asked, so a drop of 0.02 is two points. cmd/pipeline ends with status 3 on it.
type GateError struct {
	Stage string     // the stage's name
	Task  string     // the task whose alpha_task was broken; empty when the overall drop broke alpha
	Split string     // where the drop was measured
	Drop  float64    // teacher's accuracy minus the student's
	CI    [2]float64 // 95 % interval of the drop
	Alpha float64
}

func (e *GateError) Error() string {
	what, key := "overall accuracy", "alpha"
	if e.Task != "" {
		what, key = fmt.Sprintf("the accuracy of task %q", e.Task), "alpha_task"
	}
	split := e.Split
	if split == "" {
		split = "validation"
	}
	return fmt.Sprintf("stage %q: %s on the %s split fell by %.4f (95 %% interval %.4f to %.4f), beyond %s = %g: "+
		"give the stage more distil.steps, keep more units, or raise %s",
		e.Stage, what, split, e.Drop, e.CI[0], e.CI[1], key, e.Alpha, key)
}

func gateError(stage string, g report.Gate, task string, s *config.StageConfig) error {
	e := &GateError{Stage: stage, Task: task, Split: g.Split, Drop: g.Drop, CI: g.CI, Alpha: s.Alpha}
	if task != "" {
		e.Drop, e.CI, e.Alpha = g.Tasks[task].Drop, g.Tasks[task].CI, *s.AlphaTask
	}
	return e
}

// stored is a student as its checkpoint will hold it.
func stored(cfg *config.Config, student model.Network, dtypes model.Dtypes) (model.Network, error) {
	n, err := model.Stored(student, dtypes)
	if err != nil {
		return nil, fault.Inputf("export.dtype = %q: %w", cfg.Export.DType, err)
	}
	return n, nil
}
