package page

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"espalier/pipeline/data"
	"espalier/pipeline/measure"
	"espalier/pipeline/report"
	"espalier/torch/disk"
)

// AnswersName is the file in a run's folder that has each question of the test split with the answers to it.
const AnswersName = "answers.jsonl"

// Answered is a line of it. The student is the report's: of several the first, and Students has the answers of all by their names.
type Answered struct {
	Picture           int               `json:"picture"` // in the split, from 1
	From              string            `json:"from"`    // file and line of the question, or the number of a drawn picture
	Question          string            `json:"question"`
	Accepted          []string          `json:"accepted"`
	Task              string            `json:"task,omitempty"`
	Category          string            `json:"category,omitempty"`
	Teacher           string            `json:"teacher"`
	Student           string            `json:"student"`
	TeacherRight      bool              `json:"teacher_right"`
	StudentRight      bool              `json:"student_right"`
	TeacherConfidence float64           `json:"teacher_confidence"` // probability of the answer's tokens, 0 to 1
	StudentConfidence float64           `json:"student_confidence"`
	Students          map[string]string `json:"students,omitempty"`
}

func writeAnswers(folder string, lines []Answered) error {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	for _, l := range lines {
		if err := e.Encode(l); err != nil {
			return fmt.Errorf("page: %w", err)
		}
	}
	return disk.Write(filepath.Join(folder, AnswersName), text.Bytes())
}

func answeredOf(r *report.Report, k kept, set *data.Dataset, of test) (lines []Answered, err error) {
	teacher, student := confidences(of.teacher), confidences(of.student)
	if n := set.Test.QuestionCount(); len(teacher) != n || len(student) != n {
		return nil, errors.New("an earlier version of the program measured the answers; start the run again")
	}
	for i, c := range of.cards {
		for j, a := range c.Asked {
			at := len(lines)
			lines = append(lines, Answered{Picture: c.Number, From: set.Test.Place(i, j), Question: a.Question, Accepted: append([]string{}, a.Accepted...),
				Task: a.Task, Category: a.Category, Teacher: a.Teacher.Text, Student: a.Student.Text, TeacherRight: a.Teacher.Right, StudentRight: a.Student.Right,
				TeacherConfidence: teacher[at], StudentConfidence: student[at]})
		}
	}
	if len(r.Students) < 2 {
		return lines, nil
	}
	for _, s := range r.Students {
		_, said, err := k.answersOf(report.Of(r, s), s.Name+"/", set.Test.Name)
		if err != nil {
			return nil, err
		}
		all := flat(said)
		if len(all) != len(lines) {
			return nil, fmt.Errorf("%s has %d answers to %d questions", s.Name, len(all), len(lines))
		}
		for i, a := range all {
			if lines[i].Students == nil {
				lines[i].Students = map[string]string{}
			}
			lines[i].Students[s.Name] = a.Text
		}
	}
	return lines, nil
}

func confidences(m measure.Marks) (out []float64) {
	for _, of := range m.Confidence {
		out = append(out, of...)
	}
	return out
}
