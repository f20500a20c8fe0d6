package report

import (
	"fmt"
	"strconv"
)

// Answered is what teacher and student answer right of the questions of one split, or of one of its tasks.
type Answered struct {
	Split, Task         string
	Pictures, Questions int // that were asked; a split without pictures has none
	Teacher, Student    float64
}

// AnsweredTable has a row for each; where there are no pictures, it has no column for them.
func AnsweredTable(rows []Answered) Table {
	t := Table{Title: "Accuracy (%)"}
	pictures := len(rows) > 0 && rows[0].Pictures > 0
	t.column("split", "", true)
	t.column("task", "", true)
	if pictures {
		t.column("pictures", "asked", false)
	}
	t.column("questions", "asked", false)
	for _, head := range []string{"teacher", "student", "change"} {
		t.column(head, "accuracy", false)
	}
	for _, r := range rows {
		row := []string{r.Split, r.Task}
		if pictures {
			row = append(row, count(int64(r.Pictures)))
		}
		teacher, student := Accuracy{r.Task: r.Teacher}, Accuracy{r.Task: r.Student}
		t.Rows = append(t.Rows, append(row, count(int64(r.Questions)), percent(teacher, r.Task), percent(student, r.Task), change(teacher, student, r.Task)))
	}
	return t
}

// SizeTable compares the sizes of teacher and student. It has no times.
func SizeTable(teacher, student Model) Table {
	t := Table{Title: "Sizes"}
	t.column("", "", true)
	for _, head := range []string{"teacher", "student", "ratio"} {
		t.column(head, "", false)
	}
	a, b := teacher.ParametersByPart, student.ParametersByPart
	for _, part := range []struct {
		name             string
		teacher, student int64
	}{
		{"parameters", teacher.Parameters, student.Parameters},
		{"of these, vision tower", a.Vision, b.Vision},
		{"of these, Q-Former", a.QFormer, b.QFormer},
		{"of these, projection", a.Projection, b.Projection},
		{"of these, blocks of the language model", a.LanguageBlocks, b.LanguageBlocks},
		{"of these, embeddings and head of the language model", a.Embeddings, b.Embeddings},
	} {
		if part.teacher > 0 {
			t.Rows = append(t.Rows, []string{part.name, count(part.teacher), count(part.student), times(over(float64(part.teacher), float64(part.student)))})
		}
	}
	t.Rows = append(t.Rows, []string{"weights, MB", megabytes(teacher.Bytes), megabytes(student.Bytes), times(over(float64(teacher.Bytes), float64(student.Bytes)))})
	return t
}

// Sentence tells what a gate's verdict means. on is what it looked at, as "400 pictures".
func (g Gate) Sentence(on string) string {
	task, d, alpha := g.Deciding()
	of := ""
	if task != "" {
		of = fmt.Sprintf(" in the task %q", task)
	}
	shown := map[Verdict]string{
		Held:      "which is shown to be at most the %s points that were allowed",
		Undecided: "and these questions do not show whether the loss is more than the %s points that were allowed",
		Lost:      "which is shown to be more than the %s points that were allowed",
	}[g.Verdict]
	meaning := fmt.Sprintf("on the %s split (%s) the student lost %s points of accuracy%s against its teacher, with a 95 %% interval from %s, "+shown,
		g.Split, on, points(d.Drop), of, interval(d.CI), points(alpha))
	if g.PicturesNeeded > 0 {
		meaning += fmt.Sprintf("; %s pictures would decide", count(int64(g.PicturesNeeded)))
	}
	return meaning
}

// Cells are the figures of a stage for a table without times: parameters, accuracy on the test split and the gate's verdict.
func (s Stage) Cells() (parameters, accuracy, gate string) {
	gate = s.Gate.word()
	if s.Attempts > 1 {
		gate += ", after " + strconv.Itoa(s.Attempts) + " tries"
	}
	if !s.Accepted {
		gate += "; not accepted, left out"
	}
	return count(s.Distilled.Parameters), percent(s.Distilled.Accuracy, Overall), gate
}
