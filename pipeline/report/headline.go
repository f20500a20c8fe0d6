package report

import (
	"fmt"
	"strings"
)

// Figure is a figure of the headline, ready to be set large.
type Figure struct {
	Name, Value, Detail string
}

// Headline is what a run came to, in a few figures: size, speed of one answer and of many, accuracy.
func Headline(r *Report) []Figure {
	a, b := r.Teacher, r.Student
	out := []Figure{
		{"size", compared(r.Ratio.Model, "smaller", "larger"), fmt.Sprintf("%s of %s parameters; %s of %s MB", count(b.Parameters), count(a.Parameters), megabytes(b.Bytes), megabytes(a.Bytes))},
		{"one answer", compared(r.Ratio.LatencyP50, "faster", "slower"), fmt.Sprintf("%s ms, teacher %s ms (median, one thread)", milliseconds(b.LatencyMS.P50), milliseconds(a.LatencyMS.P50))},
		{"many answers", compared(r.Ratio.Throughput, "more a second", "fewer a second"), fmt.Sprintf("%s answers a second, teacher %s (%s)", rate(b.Throughput.AnswersPerS), rate(a.Throughput.AnswersPerS), together(r))},
		{"accuracy", percent(b.Accuracy, Overall) + " %", fmt.Sprintf("teacher %s %%: %s points on the test split", percent(a.Accuracy, Overall), change(a.Accuracy, b.Accuracy, Overall))},
	}
	if a.OOD != nil {
		out = append(out, Figure{"out of distribution", percent(b.OOD, Overall) + " %", fmt.Sprintf("teacher %s %%: %s points", percent(a.OOD, Overall), change(a.OOD, b.OOD, Overall))})
	}
	return out
}

// together is how many pictures or questions a network answers at once where answers a second are counted.
func together(r *Report) string {
	unit := "pictures"
	if r.Teacher.ParametersByPart.Vision == 0 {
		unit = "questions"
	}
	return fmt.Sprintf("%d %s at once", r.Teacher.Throughput.Batch, unit)
}

// compared is a ratio in words: which of two it is for a ratio below 1 says the second.
func compared(ratio float64, more, less string) string {
	switch {
	case ratio == 0:
		return none
	case ratio < 1:
		return fmt.Sprintf("%.1f× %s", 1/ratio, less)
	}
	return fmt.Sprintf("%.1f× %s", ratio, more)
}

// Judgement is what the gates say of the student: a word, and what it means.
type Judgement struct {
	Word Verdict // of the last stage that was accepted; empty where none was
	Text string
}

// Judge tells in words what the gates say of the student.
func Judge(r *Report) Judgement {
	s := r.Accepted()
	if s == nil {
		return Judgement{Text: "No stage was accepted: the student is the teacher."}
	}
	task, d, alpha := s.Gate.Deciding()
	of := ""
	if task != "" {
		of = " of the task " + task
	}
	var text strings.Builder
	if last := r.Stages[len(r.Stages)-1]; !last.Accepted {
		fmt.Fprintf(&text, "Stage %s was not accepted; the student is the one of stage %s. ", last.Name, s.Name)
	}
	fmt.Fprintf(&text, "On the %s split the student lost %s points of accuracy%s against the teacher, with 95 %% certainty %s; ", s.Gate.Split, points(d.Drop), of, interval(d.CI))
	switch s.Gate.Verdict {
	case Held:
		fmt.Fprintf(&text, "stage %s may lose %s. The loss is within that.", s.Name, points(alpha))
	case Lost:
		fmt.Fprintf(&text, "stage %s may lose %s. The loss is above that.", s.Name, points(alpha))
	default:
		fmt.Fprintf(&text, "stage %s may lose %s. These pictures cannot show whether the loss is within that", s.Name, points(alpha))
		if n := s.Gate.PicturesNeeded; n > 0 {
			fmt.Fprintf(&text, "; %s validation pictures would", count(int64(n)))
		}
		text.WriteByte('.')
	}
	return Judgement{s.Gate.Verdict, text.String()}
}

// Of is the report as it would be with one of its several students alone.
func Of(r *Report, s Student) *Report {
	one := *r
	one.Student, one.Stages, one.Ratio, one.Target = s.Measured, s.Stages, s.Ratio, &s.Target
	one.Students = nil
	return &one
}
