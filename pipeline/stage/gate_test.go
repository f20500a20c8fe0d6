package stage

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestGateErrorSaysWhatAndWhatToDo(t *testing.T) {
	err := &GateError{Stage: "hidden", Drop: .034, CI: [2]float64{.02, .048}, Alpha: .005}
	assert.EqualError(t, err, `stage "hidden": overall accuracy on the validation split fell by 0.0340 (95 % interval 0.0200 to 0.0480), `+
		`beyond alpha = 0.005: give the stage more distil.steps, keep more units, or raise alpha`)
	err.Task, err.Split = "color", "test"
	assert.ErrorContains(t, err, `the accuracy of task "color" on the test split`)
	assert.ErrorContains(t, err, "raise alpha_task")
}
