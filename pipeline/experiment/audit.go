package experiment

import "espalier/pipeline/report"

func ece(m report.Model) (float64, bool) {
	if m.Confidence == nil {
		return 0, false
	}
	return 100 * m.Confidence.ECE, true
}

// accepted is the share of the test questions that the threshold from validation accepts.
func accepted(m report.Model) (float64, bool) {
	if m.Confidence == nil || m.Confidence.Accepted == nil {
		return 0, false
	}
	return 100 * m.Confidence.Accepted.Share, true
}

// precision is how many of the student's accepted answers are right.
func precision(r *report.Report) (float64, bool) {
	c := r.Student.Confidence
	if c == nil || c.Accepted == nil || c.Accepted.Precision == nil {
		return 0, false
	}
	return 100 * *c.Accepted.Precision, true
}

// flipped is a share of all test questions.
func flipped(of func(report.Flips) int) func(*report.Report) (float64, bool) {
	return func(r *report.Report) (float64, bool) {
		f, ok := r.Student.Flips[report.Overall]
		return 100 * float64(of(f)) / float64(max(1, f.Questions)), ok
	}
}
