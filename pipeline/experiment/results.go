package experiment

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"espalier/pipeline/report"
)

// Results are the cells of an experiment that were run.
type Results struct {
	File *File
	Rows []Row
}

// Row is one cell: its figures, or why there are none.
type Row struct {
	Setting string             `json:"setting"`
	Seed    int                `json:"seed"`
	Figures map[string]float64 `json:"figures,omitempty"` // by column, those of all tasks among them
	Refused string             `json:"refused,omitempty"` // the stage that was not accepted: the student is the one before it
	Failed  string             `json:"failed,omitempty"`
	Folder  string             `json:"folder"`
}

// Add takes in a cell's report; failed says why there is none.
func (r *Results) Add(c *Cell, done *report.Report, failed string) {
	row := Row{Setting: c.Setting, Seed: c.Seed, Folder: c.Config.Output, Failed: failed}
	if done != nil {
		row.Figures = map[string]float64{}
		names := r.File.everyColumn()
		for task := range done.Student.Accuracy {
			if task != report.Overall {
				names = append(names, taskColumn+task)
			}
		}
		for _, name := range names {
			column, _ := columnOf(name)
			if v, ok := column.Of(done); ok {
				row.Figures[name] = v
			}
		}
		for _, s := range done.Stages {
			if !s.Accepted {
				row.Refused = s.Name
			}
		}
	}
	r.Rows = append(r.Rows, row)
}

// everyColumn is the file's columns and those of its conclusions.
func (f *File) everyColumn() (names []string) {
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] {
			seen[name], names = true, append(names, name)
		}
	}
	for _, name := range f.Columns {
		add(name)
	}
	for _, text := range f.Conclusions {
		c, _ := parseConclusion(text, f.Columns[0])
		add(c.Column)
	}
	return names
}

// values are a setting's figures in a column, by seed.
func (r *Results) values(setting, column string) map[int]float64 {
	out := map[int]float64{}
	for _, row := range r.Rows {
		if v, ok := row.Figures[column]; ok && row.Setting == setting {
			out[row.Seed] = v
		}
	}
	return out
}

// summary is a column over a setting's seeds.
func (r *Results) summary(setting, column string) Summary {
	of := r.values(setting, column)
	var values []float64
	for _, seed := range r.File.Seeds {
		if v, ok := of[seed]; ok {
			values = append(values, v)
		}
	}
	return summarise(values)
}

// difference is a − b in a column, over the seeds that both have.
func (r *Results) difference(a, b, column string) Summary {
	of, from := r.values(a, column), r.values(b, column)
	var values []float64
	for _, seed := range r.File.Seeds {
		x, ok := of[seed]
		y, both := from[seed]
		if ok && both {
			values = append(values, x-y)
		}
	}
	return summarise(values)
}

// Table has a row for each setting: mean ± standard deviation over seeds, and the first column against the first setting of the last axis, seed by
// seed.
func (r *Results) Table() report.Table {
	names := r.File.settingNames()
	t := report.Table{Title: r.File.Title, Columns: []report.Column{{Head: "setting", Left: true}, {Head: "seeds"}}}
	for _, name := range r.File.Columns {
		c, _ := columnOf(name)
		t.Columns = append(t.Columns, report.Column{Head: c.Head})
	}
	compared := len(r.File.Axes[len(r.File.Axes)-1].Settings) > 1
	if compared {
		t.Columns = append(t.Columns, report.Column{Head: "against the first (95 %)"})
	}
	for _, setting := range names {
		row := []string{setting, strconv.Itoa(r.summary(setting, r.File.Columns[0]).N)}
		for _, name := range r.File.Columns {
			c, _ := columnOf(name)
			row = append(row, c.summary(r.summary(setting, name)))
		}
		if compared {
			text := "–"
			if first := r.File.against(setting); setting != first {
				c, _ := columnOf(r.File.Columns[0])
				text = c.difference(r.difference(setting, first, c.Name))
			}
			row = append(row, text)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// summary is mean ± standard deviation.
func (c Column) summary(s Summary) string {
	switch {
	case s.N == 0:
		return "–"
	case s.N == 1 || s.SD < .5*math.Pow10(-c.Digits): // equal, as it is written
		return c.text(s.Mean)
	}
	return c.text(s.Mean) + " ± " + c.text(s.SD)
}

// difference is a mean difference with its interval. One that is smaller than its interval is called so.
func (c Column) difference(s Summary) string {
	if s.N == 0 {
		return "–"
	}
	digits := max(1, c.Digits)
	text := fmt.Sprintf("%+.*f", digits, s.Mean)
	if h := s.HalfWidth(); !math.IsInf(h, 1) {
		text += fmt.Sprintf(" (%+.*f to %+.*f)", digits, s.Mean-h, digits, s.Mean+h)
		if math.Abs(s.Mean) <= h {
			text += " n.s."
		}
	}
	return text
}

// Notes are the cells without figures and those whose student is not the last stage's.
func (r *Results) Notes() (lines []string) {
	for _, row := range r.Rows {
		switch {
		case row.Failed != "":
			lines = append(lines, fmt.Sprintf("%s, seed %d: failed: %s", row.Setting, row.Seed, row.Failed))
		case row.Refused != "":
			lines = append(lines, fmt.Sprintf("%s, seed %d: stage %s was not accepted; the figures are those of the student before it", row.Setting, row.Seed, row.Refused))
		}
	}
	return lines
}

// CSV has a line for each cell.
func (r *Results) CSV() ([]byte, error) {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	columns := r.File.everyColumn()
	lines := [][]string{append(append([]string{"setting", "seed"}, columns...), "refused", "failed")}
	for _, row := range r.Rows {
		line := []string{row.Setting, strconv.Itoa(row.Seed)}
		for _, name := range columns {
			text := ""
			if v, ok := row.Figures[name]; ok {
				text = strconv.FormatFloat(v, 'g', -1, 64)
			}
			line = append(line, text)
		}
		lines = append(lines, append(line, row.Refused, row.Failed))
	}
	err := w.WriteAll(lines)
	return out.Bytes(), err
}

// JSONL has an object for each cell.
func (r *Results) JSONL() ([]byte, error) {
	var out bytes.Buffer
	w := json.NewEncoder(&out)
	for _, row := range r.Rows {
		if err := w.Encode(row); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}
