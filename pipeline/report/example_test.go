package report_test

import (
	"fmt"

	"espalier/pipeline/report"
)

// A gate compares the same questions, answered by both. Forty pictures without a single loss show that less than ten points were lost, but not
// that less than one was; the gate says how many would.
func ExampleNewGate() {
	var answers []report.Answer
	for picture := range 40 {
		answers = append(answers, report.Answer{Picture: picture, Teacher: true, Student: true})
	}
	for _, alpha := range []float64{.1, .01} {
		gate, err := report.NewGate(answers, report.Limits{Alpha: alpha, Need: report.NeedHeld}, "validation")
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(gate.Line(), gate.Passed())
	}
	// Output:
	// held: drop 0.0 points (−8.8 to 8.8), alpha 10.0 true
	// undecided: drop 0.0 points (−8.8 to 8.8), alpha 1.0; 368 pictures would decide false
}
