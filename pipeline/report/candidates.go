package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/stat"
)

// Candidate is a way to score that a stage tried: the student's accuracy on a part of the validation split right after the cut,
// and after a short distillation of so many steps. One that cuts as another does is not tried for itself.
type Candidate struct {
	Name          string   `json:"name"` // "criterion/loss"
	AccuracyCut   *float64 `json:"accuracy_cut,omitempty"`
	AccuracyShort *float64 `json:"accuracy_short,omitempty"`
	Steps         int      `json:"steps,omitempty"`
	Chosen        bool     `json:"chosen"`
	SameAs        string   `json:"same_as,omitempty"`
}

// KendallTau is the rank correlation (tau-a) between the accuracies of candidates just cut and after their short training: 1
// where the cut alone tells which is best, 0 where it tells nothing. It is nil where fewer than two were tried.
func KendallTau(candidates []Candidate) *float64 {
	var cut, short []float64
	for _, c := range candidates {
		if c.AccuracyCut != nil && c.AccuracyShort != nil {
			cut, short = append(cut, *c.AccuracyCut), append(short, *c.AccuracyShort)
		}
	}
	if len(cut) < 2 {
		return nil
	}
	tau := stat.Kendall(cut, short, nil)
	if math.IsNaN(tau) {
		return nil
	}
	return &tau
}

// candidateTable shows what the stages tried.
func candidateTable(stages []Stage) Table {
	t := Table{About: "candidates", Title: "Ways to score that were tried: accuracy on a part of the validation split (%)"}
	t.column("stage", "", true)
	t.column("criterion/loss", "", true)
	for _, head := range []string{"just cut", "trained", "steps", "chosen", "tau"} {
		t.column(head, head, head == "chosen")
	}
	for i, s := range stages {
		for j, c := range s.Candidates {
			row := []string{"", c.Name, share(c.AccuracyCut), share(c.AccuracyShort), none, "", ""}
			if j == 0 {
				row[0], row[6] = fmt.Sprintf("%d %s", i+1, s.Name), tau(s.KendallTau)
			}
			if c.Steps > 0 {
				row[4] = strconv.Itoa(c.Steps)
			}
			switch {
			case c.Chosen:
				row[5] = "yes"
			case c.SameAs != "":
				row[5] = "cuts as " + c.SameAs
			}
			t.Rows = append(t.Rows, row)
		}
	}
	return t
}

// Choice tells in one line what a stage chose, and what it left: accuracies just cut and after the short training.
func Choice(candidates []Candidate) string {
	var chosen string
	var left []string
	for _, c := range candidates {
		text := fmt.Sprintf("%s %s → %s %%", c.Name, share(c.AccuracyCut), share(c.AccuracyShort))
		switch {
		case c.Chosen:
			chosen = text
		case c.SameAs == "":
			left = append(left, text)
		}
	}
	return chosen + " before " + strings.Join(left, ", ")
}

func share(v *float64) string {
	if v == nil {
		return none
	}
	return fmt.Sprintf("%.1f", 100**v)
}

func tau(v *float64) string {
	if v == nil {
		return none
	}
	return strings.Replace(fmt.Sprintf("%.2f", *v), "-", "−", 1)
}
