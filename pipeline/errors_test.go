package pipeline

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestInputErrorKeepsItsChain(t *testing.T) {
	err := fmt.Errorf("run: %w", Inputf("data/train/metadata.jsonl: %w: give an existing folder", os.ErrNotExist))
	var input *InputError
	require.ErrorAs(t, err, &input)
	assert.ErrorIs(t, err, os.ErrNotExist)
	assert.EqualError(t, input, "data/train/metadata.jsonl: file does not exist: give an existing folder")
}

func TestGateErrorSaysWhatAndWhatToDo(t *testing.T) {
	err := &GateError{Stage: "hidden", Drop: .034, CI: [2]float64{.02, .048}, Alpha: .005}
	assert.EqualError(t, err, `stage "hidden": overall accuracy on the validation split fell by 0.0340 (95 % interval 0.0200 to 0.0480), `+
		`beyond alpha = 0.005: give the stage more distil.steps, keep more units, or raise alpha`)
	err.Task, err.Split = "color", "test"
	assert.ErrorContains(t, err, `the accuracy of task "color" on the test split`)
	assert.ErrorContains(t, err, "raise alpha_task")
}
