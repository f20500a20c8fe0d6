package experiment

import (
	"sort"
	"strconv"
	"strings"

	"espalier/pipeline/report"
)

// Column is a figure of a run.
type Column struct {
	Name, Head string
	Digits     int
	Of         func(*report.Report) (value float64, ok bool)
}

// columns are the figures with a name of their own. Accuracies are in per cent, drops in points.
var columns = map[string]Column{
	"accuracy":         {Head: "accuracy, %", Digits: 1, Of: func(r *report.Report) (float64, bool) { return accuracy(r.Student.Accuracy, report.Overall) }},
	"ood":              {Head: "ood, %", Digits: 1, Of: func(r *report.Report) (float64, bool) { return accuracy(r.Student.OOD, report.Overall) }},
	"teacher":          {Head: "teacher, %", Digits: 1, Of: func(r *report.Report) (float64, bool) { return accuracy(r.Teacher.Accuracy, report.Overall) }},
	"teacher ood":      {Head: "teacher ood, %", Digits: 1, Of: func(r *report.Report) (float64, bool) { return accuracy(r.Teacher.OOD, report.Overall) }},
	"drop":             {Head: "points lost", Digits: 2, Of: drop},
	"worst task":       {Head: "worst task, points lost", Digits: 1, Of: worstTask},
	"parameters":       {Head: "parameters", Of: func(r *report.Report) (float64, bool) { return float64(r.Student.Parameters), true }},
	"ratio":            {Head: "times smaller", Digits: 1, Of: func(r *report.Report) (float64, bool) { return r.Ratio.Model, true }},
	"latency":          {Head: "latency, ms", Digits: 2, Of: func(r *report.Report) (float64, bool) { return r.Student.LatencyMS.P50, r.Student.LatencyMS.P50 > 0 }},
	"tau":              {Head: "Kendall's tau", Digits: 2, Of: tau},
	"best cut is best": {Head: "best just cut is best trained, %", Of: bestCutIsBest},
	"ece":              {Head: "calibration error, %", Digits: 2, Of: func(r *report.Report) (float64, bool) { return ece(r.Student) }},
	"teacher ece":      {Head: "teacher's calibration error, %", Digits: 2, Of: func(r *report.Report) (float64, bool) { return ece(r.Teacher) }},
	"accepted":         {Head: "accepted at 99 %, %", Digits: 1, Of: func(r *report.Report) (float64, bool) { return accepted(r.Student) }},
	"teacher accepted": {Head: "teacher's accepted at 99 %, %", Digits: 1, Of: func(r *report.Report) (float64, bool) { return accepted(r.Teacher) }},
	"precision":        {Head: "right of the accepted, %", Digits: 1, Of: precision},
	"right to wrong":   {Head: "right to wrong, %", Digits: 2, Of: flipped(func(f report.Flips) int { return f.RightToWrong })},
	"wrong to right":   {Head: "wrong to right, %", Digits: 2, Of: flipped(func(f report.Flips) int { return f.WrongToRight })},
	"after error":      {Head: "wrong behind an error, %", Digits: 1, Of: rateOf(func(r *report.Report) *report.Positions { return r.Student.Positions }, afterError)},
	"without error":    {Head: "wrong at the same places without one, %", Digits: 1, Of: rateOf(func(r *report.Report) *report.Positions { return r.Student.Positions }, withoutError)},
	"ood after error":  {Head: "ood: wrong behind an error, %", Digits: 1, Of: rateOf(func(r *report.Report) *report.Positions { return r.Student.OODPositions }, afterError)},
	"seconds":          {Head: "seconds", Of: func(r *report.Report) (float64, bool) { return r.Seconds - r.TeacherSeconds, true }},
	"stage seconds":    {Head: "to cut and train, s", Of: stageSeconds},
	"memory":           {Head: "peak memory, GiB", Digits: 2, Of: func(r *report.Report) (float64, bool) { return float64(r.PeakRSSBytes) / (1 << 30), true }},
}

// taskColumn is what stands before a task's name in the column of its accuracy.
const taskColumn = "task "

// families are columns of something that is named behind them: "task content", "cut blocks", "after blocks", "token 3".
var families = map[string]func(of string) Column{
	"task": func(of string) Column {
		return Column{Head: of + ", %", Digits: 1, Of: func(r *report.Report) (float64, bool) { return accuracy(r.Student.Accuracy, of) }}
	},
	"cut": func(of string) Column {
		return Column{Head: of + ": just cut, %", Digits: 1, Of: stage(of, func(s report.Stage) report.Model { return s.Pruned })}
	},
	"token": func(of string) Column {
		return Column{Head: "token " + of + ", %", Digits: 1, Of: func(r *report.Report) (float64, bool) { return atToken(r.Student.Positions, of) }}
	},
	"after": func(of string) Column {
		return Column{Head: of + ": distilled, %", Digits: 1, Of: stage(of, func(s report.Stage) report.Model { return s.Distilled })}
	},
}

// ColumnNames are the names that columns may have.
func ColumnNames() (names []string) {
	for name := range columns {
		names = append(names, name)
	}
	names = append(names, "task TASK", "cut STAGE", "after STAGE", "token NUMBER")
	sort.Strings(names)
	return names
}

func columnOf(name string) (Column, error) {
	c, ok := columns[name]
	if !ok {
		first, rest, _ := strings.Cut(name, " ")
		family := families[first]
		if family == nil || rest == "" {
			return c, errorf("column %q is unknown; there are %s", name, strings.Join(ColumnNames(), ", "))
		}
		c = family(rest)
	}
	c.Name = name
	return c, nil
}

// text is a value as the tables have it.
func (c Column) text(v float64) string { return strconv.FormatFloat(v, 'f', c.Digits, 64) }

func accuracy(a report.Accuracy, of string) (float64, bool) {
	v, ok := a[of]
	return 100 * v, ok
}

func drop(r *report.Report) (float64, bool) {
	teacher, ok := accuracy(r.Teacher.Accuracy, report.Overall)
	student, _ := accuracy(r.Student.Accuracy, report.Overall)
	return teacher - student, ok
}

// worstTask is the most that a task lost.
func worstTask(r *report.Report) (worst float64, ok bool) {
	for task, v := range r.Teacher.Accuracy {
		if lost := 100 * (v - r.Student.Accuracy[task]); task != report.Overall && (!ok || lost > worst) {
			worst, ok = lost, true
		}
	}
	return worst, ok
}

func stage(name string, of func(report.Stage) report.Model) func(*report.Report) (float64, bool) {
	return func(r *report.Report) (float64, bool) {
		for _, s := range r.Stages {
			if s.Name == name {
				return accuracy(of(s).Accuracy, report.Overall)
			}
		}
		return 0, false
	}
}

// stageSeconds is what scores, cuts with their proofs, and distillation took.
func stageSeconds(r *report.Report) (sum float64, ok bool) {
	for _, s := range r.Stages {
		sum += s.Seconds.Importance + s.Seconds.Prune + s.Seconds.Distil
	}
	return sum, sum > 0
}

// tau is the mean over the stages that tried several ways to score.
func tau(r *report.Report) (mean float64, ok bool) {
	n := 0.
	for _, s := range r.Stages {
		if s.KendallTau != nil {
			mean += *s.KendallTau
			n++
		}
	}
	return mean / max(n, 1), n > 0
}

// bestCutIsBest is the share of these stages in which the way with the best student just after the cut had the best one after training.
func bestCutIsBest(r *report.Report) (share float64, ok bool) {
	n := 0.
	for _, s := range r.Stages {
		var cut, short *report.Candidate
		tried := 0
		for i := range s.Candidates {
			c := &s.Candidates[i]
			if c.AccuracyShort == nil || c.AccuracyCut == nil {
				continue
			}
			tried++
			if cut == nil || *c.AccuracyCut > *cut.AccuracyCut {
				cut = c
			}
			if short == nil || *c.AccuracyShort > *short.AccuracyShort {
				short = c
			}
		}
		if tried > 1 {
			n++
			if cut == short {
				share += 100
			}
		}
	}
	return share / max(n, 1), n > 0
}
