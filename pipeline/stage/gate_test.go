package stage

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"espalier/pipeline/report"
)

func TestGateErrorSaysWhatAndWhatToDo(t *testing.T) {
	limit := .05
	gate := report.Gate{Limits: report.Limits{Alpha: .005, Need: report.NeedNotLost}, Verdict: report.Lost, Drop: .034, CI: [2]float64{.02, .048}, Split: "validation"}
	err := &GateError{Stage: "hidden", Gate: gate, Kept: "inner"}
	assert.EqualError(t, err, `stage "hidden" was not accepted on the validation split (lost: drop 3.4 points (2.0 to 4.8), alpha 0.5), `+
		`and the student is that of stage "inner": give the stage more distil.steps, keep more units, or raise alpha`)
	err.Kept, err.Gate.Alpha, err.Gate.AlphaTask = "", .06, &limit
	err.Gate.Tasks = map[string]report.Drop{"color": {Drop: .1, CI: [2]float64{.07, .13}, Verdict: report.Lost}}
	assert.ErrorContains(t, err, "drop of color 10.0 points")
	assert.ErrorContains(t, err, "the student is the uncut teacher")
	assert.ErrorContains(t, err, "or raise alpha_task")
	err.Gate = gate
	err.Gate.Alpha, err.Gate.Need, err.Gate.Verdict, err.Gate.PicturesNeeded = .04, report.NeedHeld, report.Undecided, 900
	assert.ErrorContains(t, err, `900 pictures would decide), and`)
	assert.ErrorContains(t, err, `more pictures (data.validation), raise alpha, or take gate = "not lost"`)
}
