package report

import (
	"maps"
	"slices"
)

// metricTable has the metrics of free answers that were asked for.
func metricTable(r *Report) Table {
	t := Table{About: "tasks", Title: "Free answers on the test split: means of other metrics (%)"}
	t.column("stage", "", true)
	names := slices.Sorted(maps.Keys(r.Teacher.Metrics))
	tasks := r.Teacher.Accuracy.Tasks()
	for _, name := range names {
		t.column(name, name, false)
		for _, task := range tasks {
			t.column(task, name, false)
		}
	}
	stages, models := r.measured()
	for i, m := range models {
		row := []string{stages[i]}
		for _, name := range names {
			for _, key := range append([]string{Overall}, tasks...) {
				row = append(row, percent(m.Metrics[name], key))
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
