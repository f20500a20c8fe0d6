package report

import (
	"fmt"
	"strconv"
)

// Target is what a student had to be: the key and value of the configuration, what the solver expected of the sizes that it chose, and
// what was measured.
type Target struct {
	Name      string     `json:"name,omitempty"`
	Key       string     `json:"key"`
	Want      float64    `json:"want"`
	Predicted float64    `json:"predicted"`
	Got       float64    `json:"got"`
	Divisions []Division `json:"divisions,omitempty"`
}

// Division is sizes that meet the target. The student's accuracies are those on a part of the validation split, after the last cut of its
// short stages and after a short distillation.
type Division struct {
	Name           string   `json:"name"` // what it favours
	Keeps          string   `json:"keeps"`
	Parameters     int64    `json:"parameters"`
	LanguageBlocks int64    `json:"language_blocks"`
	Bytes          int64    `json:"bytes"`
	LatencyMS      float64  `json:"latency_ms"` // predicted
	AccuracyCut    *float64 `json:"accuracy_cut,omitempty"`
	AccuracyShort  *float64 `json:"accuracy_short,omitempty"`
	Steps          int      `json:"steps,omitempty"`
	Chosen         bool     `json:"chosen"`
}

// Student is one of several students of a run.
type Student struct {
	Name     string  `json:"name"`
	Folder   string  `json:"folder"` // in the run's
	Target   Target  `json:"target"`
	Measured Model   `json:"measured"`
	Ratio    Ratio   `json:"ratio"`
	Stages   []Stage `json:"stages"`
}

// Add takes a student in: the only one, whose name is empty, or one of several. The first is the report's own.
func (r *Report) Add(name string, t *Target, student Model, stages []Stage) {
	if t != nil {
		t.Got = t.of(r.Teacher, student)
	}
	ratio := RatioOf(r.Teacher, student)
	if len(r.Stages) == 0 {
		r.Student, r.Stages, r.Ratio, r.Target = student, stages, ratio, t
	}
	if name != "" {
		r.Students = append(r.Students, Student{Name: name, Folder: "students/" + name, Target: *t, Measured: student, Ratio: ratio, Stages: stages})
	}
}

// Predict fills in what the division that was chosen promises.
func (t *Target) Predict(teacher Model, d Division) {
	t.Predicted = t.of(teacher, Model{Parameters: d.Parameters, ParametersByPart: Parts{LanguageBlocks: d.LanguageBlocks}, Bytes: d.Bytes, LatencyMS: Latency{P50: d.LatencyMS}})
}

// of is a student's value of the target's key.
func (t *Target) of(teacher, student Model) float64 {
	r := RatioOf(teacher, student)
	return map[string]float64{"ratio": r.Model, "language_ratio": r.LanguageBlocks, "parameters": float64(student.Parameters),
		"bytes": float64(student.Bytes), "latency_ms": student.LatencyMS.P50}[t.Key]
}

// Met tells whether the student is what it had to be.
func (t *Target) Met() bool {
	if t.Key == "ratio" || t.Key == "language_ratio" {
		return t.Got >= t.Want
	}
	return t.Got <= t.Want
}

// Line tells the target in one line.
func (t *Target) Line() string {
	text := fmt.Sprintf("target %s = %g: %.4g", t.Key, t.Want, t.Got)
	if !t.Met() {
		text += ", MISSED"
	}
	return text
}

// DivisionTable shows the divisions that meet a target, before they are tried or after.
func (t *Target) DivisionTable() Table {
	title := fmt.Sprintf("Divisions for %s = %g", t.Key, t.Want)
	if t.Name != "" {
		title = t.Name + ": " + title
	}
	out := Table{About: "target", Title: title}
	out.column("favours", "", true)
	for _, head := range []string{"parameters", "MB", "ms"} {
		out.column(head, "size", false)
	}
	tried := len(t.Divisions) > 0 && t.Divisions[0].AccuracyShort != nil
	if tried {
		for _, head := range []string{"just cut", "trained", "steps", "chosen"} {
			out.column(head, "tried", head == "chosen")
		}
	}
	out.column("keeps", "keeps", true)
	for _, d := range t.Divisions {
		row := []string{d.Name, count(d.Parameters), megabytes(d.Bytes), milliseconds(d.LatencyMS)}
		if tried {
			chosen := ""
			if d.Chosen {
				chosen = "yes"
			}
			row = append(row, share(d.AccuracyCut), share(d.AccuracyShort), strconv.Itoa(d.Steps), chosen)
		}
		out.Rows = append(out.Rows, append(row, d.Keeps))
	}
	return out
}

// Line tells in one line what a division that was tried reached.
func (d Division) Line() string {
	return fmt.Sprintf("%s: %s → %s %% after %d steps · %s · %s ms", d.Name, share(d.AccuracyCut), share(d.AccuracyShort), d.Steps, rough(d.Parameters), milliseconds(d.LatencyMS))
}
