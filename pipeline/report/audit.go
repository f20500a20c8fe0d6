package report

import (
	"fmt"
	"math"
)

// What somebody needs to know who relies on single answers: which of them changed against the teacher's, how far a network's own
// confidence can be trusted, and whether long answers are worse. All of it is of the test split.

// LengthAccuracy is the accuracy of the questions whose right answer has so many tokens, its end left out.
type LengthAccuracy struct {
	Tokens    int     `json:"tokens"`
	Questions int     `json:"questions"`
	Accuracy  float64 `json:"accuracy"`
}

// Confidence is what the probability of a greedy answer says: the product of the probabilities of its tokens, its end included.
type Confidence struct {
	ECE      float64   `json:"ece"`  // expected calibration error: the mean distance between confidence and accuracy
	Bins     int       `json:"bins"` // of equal width, that it is reckoned in
	Accepted *Accepted `json:"accepted,omitempty"`
}

// Accepted are the answers that could be accepted automatically. The threshold is the least confidence from which on the answers to the
// validation split reach the wanted precision; share and precision are those of the test split, so the precision can be below what is wanted.
type Accepted struct {
	Wanted    float64  `json:"precision_wanted"`
	Threshold *float64 `json:"threshold,omitempty"` // nil: no confidence is enough
	Share     float64  `json:"share"`               // of all questions
	Precision *float64 `json:"precision,omitempty"` // nil: none was accepted
}

// Flips are the questions that a student answers otherwise than the teacher, right against wrong.
type Flips struct {
	RightToWrong int `json:"right_to_wrong"`
	WrongToRight int `json:"wrong_to_right"`
	Questions    int `json:"questions"` // of which these are
}

// auditTable shows flips and confidence of the teacher and of what each stage left; by task, what turned wrong and what turned right.
func (r *Report) auditTable() Table {
	t := Table{About: "answers", Title: "Flips and confidence on the test split"}
	t.column("stage", "", true)
	for _, head := range []string{"right → wrong", "wrong → right"} {
		t.column(head, "flips", false)
	}
	for _, head := range []string{"ECE, %", "accepted, %", "of these right, %"} {
		t.column(head, "confidence", false)
	}
	tasks := r.Teacher.Accuracy.Tasks()
	for _, task := range tasks {
		t.column(task, "task", false)
	}
	names, models := r.measured()
	for i, m := range models {
		if m.Confidence == nil {
			continue
		}
		row := []string{names[i], none, none}
		if all, ok := m.Flips[Overall]; ok {
			row = []string{names[i], count(int64(all.RightToWrong)), count(int64(all.WrongToRight))}
		}
		row = append(row, share(&m.Confidence.ECE))
		if a := m.Confidence.Accepted; a != nil {
			row = append(row, share(&a.Share), share(a.Precision))
		} else {
			row = append(row, none, none)
		}
		for _, task := range tasks {
			cell := none
			if f, ok := m.Flips[task]; ok {
				cell = fmt.Sprintf("−%d +%d", f.RightToWrong, f.WrongToRight)
			}
			row = append(row, cell)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// audit checks the figures of a model that stand beside its accuracies. Reports of earlier versions have none.
func (c *checker) audit(name string, m Model) {
	for i, l := range m.AccuracyByLength {
		if l.Tokens < 0 || l.Questions < 1 || i > 0 && l.Tokens <= m.AccuracyByLength[i-1].Tokens {
			c.add("%s.accuracy_by_length[%d] is of %d questions of %d tokens", name, i, l.Questions, l.Tokens)
		}
		c.share(fmt.Sprintf("%s.accuracy_by_length[%d].accuracy", name, i), l.Accuracy)
	}
	if m.Confidence == nil {
		return
	}
	c.share(name+".confidence.ece", m.Confidence.ECE)
	if a := m.Confidence.Accepted; a != nil {
		c.share(name+".confidence.accepted.share", a.Share)
		if a.Precision != nil {
			c.share(name+".confidence.accepted.precision", *a.Precision)
		}
		if (a.Precision != nil) != (a.Share > 0) || a.Share > 0 && a.Threshold == nil {
			c.add("%s.confidence.accepted: a share of %g goes with neither threshold nor precision", name, a.Share)
		}
	}
}

// flips holds the answers that turned against the accuracies of teacher and student.
func (c *checker) flips(name string, teacher, student Model) {
	if len(student.Flips) == 0 {
		return
	}
	for _, task := range append(student.Accuracy.Tasks(), Overall) {
		f := student.Flips[task]
		if f.RightToWrong < 0 || f.WrongToRight < 0 || f.RightToWrong+f.WrongToRight > f.Questions || f.Questions == 0 {
			c.add("%s.flips.%s counts %d and %d of %d questions", name, task, f.RightToWrong, f.WrongToRight, f.Questions)
			continue
		}
		turned := float64(f.WrongToRight-f.RightToWrong) / float64(f.Questions)
		if gain := student.Accuracy[task] - teacher.Accuracy[task]; math.Abs(gain-turned) > 1e-9 {
			c.add("%s.flips.%s change the accuracy by %g, but it changed by %g", name, task, turned, gain)
		}
	}
}
