package report

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCheckAcceptsAGoodReport(t *testing.T) {
	require.NoError(t, example().Check())
}

// Questions without a task count under overall alone, which then need not lie among the tasks.
func TestCheckAcceptsQuestionsWithoutATask(t *testing.T) {
	r := example()
	r.Teacher.Accuracy["overall"] = .5
	require.NoError(t, r.Check())
}

// Each breach alone must be named.
func TestCheckNamesEachFault(t *testing.T) {
	for want, breach := range map[string]func(*Report){
		`student.parameters is 164413, but its parts sum to 164412`:                func(r *Report) { r.Student.Parameters++ },
		`teacher.accuracy has no "overall"`:                                        func(r *Report) { r.Teacher.Accuracy = Accuracy{"color": .9} },
		`teacher.accuracy_by_category.phone.color is 1.2, not in [0, 1]`:           func(r *Report) { r.Teacher.AccuracyByCategory["phone"]["color"] = 1.2 },
		`student.ood has no "overall"`:                                             func(r *Report) { r.Student.OOD = Accuracy{} },
		`student.latency_ms.p99 is 1, below the p50 of 1.47`:                       func(r *Report) { r.Student.LatencyMS.P99 = 1 },
		`teacher.throughput.answers_per_s is 0, not above 0`:                       func(r *Report) { r.Teacher.Throughput = Throughput{Batch: 64} },
		`ratio.model is 19, but the models give 18.5`:                              func(r *Report) { r.Ratio.Model = 19 },
		`stages[2] "hidden".slice_mask_max_diff is 1e-13, but its cuts reach 3.9e`: func(r *Report) { r.Stages[2].SliceMaskMaxDiff = 1e-13 },
		`stages[0] "blocks".accepted is false, but its gate says true`:             func(r *Report) { r.Stages[0].Accepted = false },
		`stages[0] "blocks".gate.verdict is "lost", but its intervals say "held"`:  func(r *Report) { r.Stages[0].Gate.Verdict = Lost },
		`stages[1] "inner".gate.ci is upside down: [0.043 0.021]`:                  func(r *Report) { r.Stages[1].Gate.CI = [2]float64{.043, .021} },
		`stages[1] "inner".cuts: there are none`:                                   func(r *Report) { r.Stages[1].Cuts = nil },
		`stages[1] "inner": its last cut left 7 parameters`:                        func(r *Report) { r.Stages[1].Cuts[0].Parameters = 7 },
		`the last stage that was accepted left 164412`:                             func(r *Report) { r.Student = r.Stages[1].Distilled },
		`teacher.ood.overall is NaN`:                                               func(r *Report) { r.Teacher.OOD["overall"] = math.NaN() },
		`teacher_seconds is 500 of 492 seconds`:                                    func(r *Report) { r.TeacherSeconds = 500 },
		`peak_rss_bytes is 0, not above 0`:                                         func(r *Report) { r.PeakRSSBytes = 0 },
		`stages: there are none`:                                                   func(r *Report) { r.Stages = nil },
	} {
		t.Run(want, func(t *testing.T) {
			r := example()
			breach(r)
			assert.ErrorContains(t, r.Check(), want)
		})
	}
}
