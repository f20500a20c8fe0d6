package experiment

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Conclusion is what an experiment must show: "A > B by at least 2 in accuracy", or "A = B within 0.5 in accuracy". It is compared with the
// mean difference over the seeds that both settings have. In front of it, "quick: " marks one that the reduced form shows as well.
// Without "in COLUMN" it is about the first column.
type Conclusion struct {
	Text, A, B, Column string
	Equal              bool
	By                 float64
}

const quickMark = "quick: "

var conclusionForm = regexp.MustCompile(`^(?:quick: )?(.+?) (?:> (.+?) by at least|= (.+?) within) (-?[0-9.]+)(?: in (.+))?$`)

func parseConclusion(text, column string) (Conclusion, error) {
	m := conclusionForm.FindStringSubmatch(text)
	if m == nil {
		return Conclusion{}, errorf("conclusion %q is neither %q nor %q", text, "A > B by at least 1 in COLUMN", "A = B within 1 in COLUMN")
	}
	by, err := strconv.ParseFloat(m[4], 64)
	if err != nil {
		return Conclusion{}, errorf("conclusion %q: %q is no number", text, m[4])
	}
	if m[5] != "" {
		column = m[5]
	}
	return Conclusion{Text: strings.TrimPrefix(text, quickMark), A: m[1], B: m[2] + m[3], Column: column, Equal: m[3] != "", By: by}, nil
}

// Verdict is a conclusion beside the figures.
type Verdict struct {
	Conclusion
	Difference Summary // A − B, seed by seed
	Holds      bool
	Tasks      []TaskDifference // where the difference lies, the least first, of a conclusion about accuracy that does not hold
}

// TaskDifference is the mean of A − B in one task.
type TaskDifference struct {
	Task string
	Mean float64
}

// Line tells it in one line.
func (v Verdict) Line() string {
	word := "HOLDS"
	if !v.Holds {
		word = "DOES NOT HOLD"
	}
	if v.Difference.N == 0 {
		return fmt.Sprintf("%s: %s: no seed has both", word, v.Text)
	}
	text := fmt.Sprintf("%s: %s: %+.2f; seeds: %d", word, v.Text, v.Difference.Mean, v.Difference.N)
	if h := v.Difference.HalfWidth(); !math.IsInf(h, 1) {
		text += fmt.Sprintf("; 95 %%: %+.2f to %+.2f", v.Difference.Mean-h, v.Difference.Mean+h)
		if math.Abs(v.Difference.Mean) < h {
			text += "; smaller than its interval"
		}
	}
	for i, t := range v.Tasks {
		text += fmt.Sprintf("%s%s %+.1f", map[bool]string{true: "; by task: ", false: ", "}[i == 0], t.Task, t.Mean)
	}
	return text
}

// Verdicts are an experiment's conclusions beside its figures.
func (r *Results) Verdicts() (out []Verdict) {
	for _, text := range r.File.Conclusions {
		c, _ := parseConclusion(text, r.File.Columns[0]) // Read checked it
		v := Verdict{Conclusion: c, Difference: r.difference(c.A, c.B, c.Column)}
		if v.Difference.N > 0 {
			v.Holds = v.Difference.Mean >= c.By
			if c.Equal {
				v.Holds = math.Abs(v.Difference.Mean) <= c.By
			}
		}
		if !v.Holds && c.Column == "accuracy" {
			v.Tasks = byTask(r, c.A, c.B)
		}
		out = append(out, v)
	}
	return out
}

// byTask is a − b in each task that both have.
func byTask(r *Results, a, b string) (out []TaskDifference) {
	seen := map[string]bool{}
	for _, row := range r.Rows {
		for column := range row.Figures {
			task, is := strings.CutPrefix(column, taskColumn)
			if d := r.difference(a, b, column); is && !seen[task] && d.N > 0 {
				seen[task] = true
				out = append(out, TaskDifference{task, d.Mean})
			}
		}
	}
	slices.SortFunc(out, func(a, b TaskDifference) int { return cmp.Or(cmp.Compare(a.Mean, b.Mean), cmp.Compare(a.Task, b.Task)) })
	return out
}
