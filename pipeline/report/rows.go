package report

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// Table is a table's text, ready to be drawn by any program: the terminal's, a page's, a spreadsheet's.
type Table struct {
	About   string // "stages", "gates", "candidates", "tasks", "answers", "energy", "target" or "summary": the part of a report that it belongs to
	Title   string
	Columns []Column
	Rows    [][]string // one text a column
}

// Column is a head and how its texts are set. Columns of one Group belong side by side when a table is too wide
// for its page; the first column heads every part.
type Column struct {
	Head  string
	Left  bool // texts; numbers are set to the right
	Group string
}

// Tables are a run's tables in the order of reading: each stage, its gate, what it tried, the categories, single
// answers, the summary.
func (r *Report) Tables() []Table {
	var tables []Table
	if r.Target != nil {
		tables = append(tables, r.Target.DivisionTable())
	}
	tables = append(tables, r.stageTable())
	if slices.ContainsFunc(r.Stages, func(s Stage) bool { return len(s.Candidates) > 0 }) {
		tables = append(tables, candidateTable(r.Stages))
	}
	if len(r.Stages) > 0 {
		tables = append(tables, gateTable(r.Stages))
	}
	if tries := triesTable(r.Stages); len(tries.Rows) > 0 {
		tables = append(tables, tries)
	}
	if len(r.Teacher.Metrics) > 0 {
		tables = append(tables, metricTable(r))
	}
	if len(r.Teacher.AccuracyByCategory) > 0 {
		tables = append(tables, r.categoryTable())
	}
	if r.Teacher.Positions != nil {
		tables = append(tables, positionTable(r))
	}
	if r.Teacher.Confidence != nil {
		tables = append(tables, r.auditTable())
	}
	if r.Energy != nil {
		tables = append(tables, r.Energy.Tables()...)
	}
	return append(tables, r.summaryTable())
}

// measured are the teacher and what each stage left, with their names.
func (r *Report) measured() (names []string, models []Model) {
	names, models = []string{"teacher"}, []Model{r.Teacher}
	for i, s := range r.Stages {
		names, models = append(names, fmt.Sprintf("%d %s", i+1, s.Name)), append(models, s.Distilled)
	}
	return names, models
}

func (r *Report) stageTable() Table {
	tasks := r.Teacher.Accuracy.Tasks()
	t := Table{About: "stages", Title: "Stages: size, speed and accuracy on the test split (%)"}
	t.column("stage", "", true)
	for _, head := range []string{"parameters", "ratio", "MB"} {
		t.column(head, "size", false)
	}
	for _, head := range []string{"p50 ms", "faster", "answers/s", "more"} {
		t.column(head, "speed", false)
	}
	t.column("just cut", "accuracy", false)
	t.column(Overall, "accuracy", false)
	for _, task := range tasks {
		t.column(task, "accuracy", false)
	}
	t.column("ood", "accuracy", false)

	names, models := r.measured()
	for i, m := range models {
		ratio := RatioOf(r.Teacher, m)
		row := []string{names[i], count(m.Parameters), times(ratio.Model), megabytes(m.Bytes),
			milliseconds(m.LatencyMS.P50), times(ratio.LatencyP50), rate(m.Throughput.AnswersPerS), times(ratio.Throughput)}
		cut := none
		if i > 0 {
			cut = percent(r.Stages[i-1].Pruned.Accuracy, Overall)
		}
		row = append(row, cut, percent(m.Accuracy, Overall))
		for _, task := range tasks {
			row = append(row, percent(m.Accuracy, task))
		}
		t.Rows = append(t.Rows, append(row, percent(m.OOD, Overall)))
	}
	return t
}

func gateTable(stages []Stage) Table {
	t := Table{About: "gates", Title: "Gates: points of accuracy lost against the teacher"}
	t.column("stage", "", true)
	for _, head := range []string{"split", "lost", "95 % interval", "alpha", "gate"} {
		t.column(head, "gate", head == "split" || head == "gate")
	}
	for _, head := range []string{"cuts", "slice − mask", "time"} {
		t.column(head, "cuts", false)
	}
	for i, s := range stages {
		t.Rows = append(t.Rows, []string{fmt.Sprintf("%d %s", i+1, s.Name), s.Gate.Split, points(s.Gate.Drop), interval(s.Gate.CI),
			points(s.Gate.Alpha), s.Gate.word(), strconv.Itoa(len(s.Cuts)), fmt.Sprintf("%.1e", s.SliceMaskMaxDiff), Duration(s.Seconds.total())})
	}
	return t
}

func (s StageSeconds) total() float64 { return s.Importance + s.Prune + s.Distil + s.Evaluate }

// triesTable has all attempts of the stages that made more than one.
func triesTable(stages []Stage) Table {
	t := Table{About: "gates", Title: "Tries of stages that were made again"}
	t.column("stage", "", true)
	t.column("try", "gate", true)
	for _, head := range []string{"lost", "95 % interval", "gate", "accepted"} {
		t.column(head, "gate", head == "gate" || head == "accepted")
	}
	for i, s := range stages {
		for n, try := range s.Tried {
			accepted := "no"
			if try.Accepted && n == s.Try() {
				accepted = "yes"
			} else if try.Accepted {
				accepted = "yes, but another lost less"
			}
			t.Rows = append(t.Rows, []string{fmt.Sprintf("%d %s", i+1, s.Name), try.What, points(try.Gate.Drop), interval(try.Gate.CI), try.Gate.word(), accepted})
		}
	}
	return t
}

// word is the verdict for a table's cell, with the task that it comes from.
func (g Gate) word() string {
	if task, _, _ := g.Deciding(); task != "" {
		return string(g.Verdict) + ": " + task
	}
	return string(g.Verdict)
}

func (r *Report) categoryTable() Table {
	tasks := r.Teacher.Accuracy.Tasks()
	t := Table{About: "tasks", Title: "Accuracy by category on the test split (%), teacher → student"}
	t.column("category", "", true)
	for _, head := range []string{"teacher", "student", "change"} {
		t.column(head, Overall, false)
	}
	for _, task := range tasks {
		t.column(task, "task", false)
	}
	for _, category := range slices.Sorted(maps.Keys(r.Teacher.AccuracyByCategory)) {
		before, after := r.Teacher.AccuracyByCategory[category], r.Student.AccuracyByCategory[category]
		row := []string{category, percent(before, Overall), percent(after, Overall), change(before, after, Overall)}
		for _, task := range tasks {
			row = append(row, percent(before, task)+" → "+percent(after, task))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func (r *Report) summaryTable() Table {
	t := Table{About: "summary", Title: "Summary"}
	t.column("", "", true)
	for _, head := range []string{"teacher", "student", "change"} {
		t.column(head, "", false)
	}
	a, b := r.Teacher, r.Student
	add := func(cells ...string) { t.Rows = append(t.Rows, cells) }
	add("parameters, whole model", count(a.Parameters), count(b.Parameters), times(r.Ratio.Model)+" smaller")
	add("parameters, language blocks", count(a.ParametersByPart.LanguageBlocks), count(b.ParametersByPart.LanguageBlocks),
		times(r.Ratio.LanguageBlocks)+" smaller")
	add("accuracy on test, %", percent(a.Accuracy, Overall), percent(b.Accuracy, Overall), change(a.Accuracy, b.Accuracy, Overall)+" points")
	if a.OOD != nil {
		add("accuracy out of distribution, %", percent(a.OOD, Overall), percent(b.OOD, Overall), change(a.OOD, b.OOD, Overall)+" points")
	}
	add("latency of one answer, p50 ms", milliseconds(a.LatencyMS.P50), milliseconds(b.LatencyMS.P50), times(r.Ratio.LatencyP50)+" faster")
	add("answers/s, "+together(r), rate(a.Throughput.AnswersPerS), rate(b.Throughput.AnswersPerS),
		times(r.Ratio.Throughput)+" more")
	return t
}

// Facts are the lines below the summary: what failed, what was lost, what proves the cuts, what the run took.
func (r *Report) Facts() []string {
	var facts []string
	worst := 0.0
	before := r.Teacher
	for i, s := range r.Stages {
		worst = max(worst, s.SliceMaskMaxDiff)
		for _, name := range s.Told(before) {
			facts = append(facts, fmt.Sprintf("failed in stage %d %s: %s", i+1, s.Name, name))
		}
		before = s.Distilled
	}
	if n := len(r.Stages); n > 0 {
		if s := r.Accepted(); s == nil {
			facts = append(facts, "no stage was accepted: the student is the teacher")
		} else {
			facts = append(facts, fmt.Sprintf("on the %s split, %s", s.Gate.Split, s.Gate.Line()))
		}
		facts = append(facts,
			fmt.Sprintf("slice − mask: %.1e of the largest logit at most, in float64", worst))
	}
	if r.Target != nil {
		facts = append(facts, r.Target.Line())
	}
	for _, s := range r.Students[min(1, len(r.Students)):] {
		facts = append(facts, fmt.Sprintf("%s: %s; %s", s.Folder, s.Measured.Line(), s.Target.Line()))
	}
	if r.Energy != nil {
		facts = append(facts, r.Energy.Facts()...)
	}
	return append(facts,
		fmt.Sprintf("time: %s, of which the teacher took %s", Duration(r.Seconds), Duration(r.TeacherSeconds)),
		fmt.Sprintf("peak memory: %.2f GiB", float64(r.PeakRSSBytes)/(1<<30)))
}

func (t *Table) column(head, group string, left bool) {
	t.Columns = append(t.Columns, Column{Head: head, Left: left, Group: group})
}

// Tasks are the keys beside "overall", by name.
func (a Accuracy) Tasks() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(a)), func(task string) bool { return task == Overall })
}
