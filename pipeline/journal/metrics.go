package journal

import (
	"bytes"
	"encoding/csv"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"espalier/pipeline/event"
	"espalier/pipeline/report"
)

// number is a named number of a run: a row of metrics.csv.
type number struct {
	phase event.Phase
	step  int
	name  string
	value float64
	kept  bool
}

// columns are those of metrics.csv.
var columns = []string{"time", "stage", "phase", "detail", "step", "name", "value", "kept"}

// metrics is metrics.csv: one row a number. It is of one start; numbers of kept results are written again with each.
type metrics struct{ log }

func (m *metrics) add(now time.Time, rows []number) {
	if len(rows) == 0 || m.path == "" {
		return
	}
	var text bytes.Buffer
	w := csv.NewWriter(&text)
	if m.whole == 0 {
		_ = w.Write(columns) // into memory
	}
	at := now.UTC().Format("2006-01-02T15:04:05.000Z")
	for _, n := range rows {
		_ = w.Write([]string{at, n.phase.Stage, n.phase.Name, n.phase.Detail, strconv.Itoa(n.step), n.name, strconv.FormatFloat(n.value, 'g', -1, 64), strconv.FormatBool(n.kept)})
	}
	w.Flush()
	m.write(now, text.Bytes())
}

// numbers finds the numbers in events.
type numbers struct {
	steps    map[event.Phase]int // the last one told of a training: a recheck takes steps again
	measured map[string]int      // measurements so far, by student
	gates    map[string]int
}

// of gives the numbers of an event in the order of their names.
func (n *numbers) of(now event.Phase, e event.Event) []number {
	switch e := e.(type) {
	case event.Curve:
		if e.Phase != (event.Phase{}) {
			now = e.Phase
		}
		return n.curve(now, e)
	case event.TeacherMeasured:
		return n.model("teacher", "", e.Model, e.Kept)
	case event.StageMeasured:
		return n.model(e.Stage, string(e.When), e.Model, e.Kept)
	case event.Cut:
		return rows(event.Phase{Stage: e.Stage, Name: "cut"}, e.Cut, e.Kept, map[string]float64{"parameters": float64(e.Parameters), "slice_mask_max_diff": e.SliceMaskMaxDiff})
	case event.GateResult:
		return rows(event.Phase{Stage: e.Stage, Name: "gate"}, n.next(&n.gates, e.Stage), e.Kept, ofGate(e))
	case event.Chosen:
		var all []number
		for i, c := range e.Candidates {
			all = append(all, rows(event.Phase{Stage: e.Stage, Name: "candidate", Detail: c.Name}, i+1, false, some(map[string]*float64{"accuracy_cut": c.AccuracyCut, "accuracy_short": c.AccuracyShort}))...)
		}
		return all
	case event.Tried:
		return rows(event.Phase{Stage: e.Target, Name: "division", Detail: e.Division.Name}, 1, false, some(map[string]*float64{"accuracy_cut": e.Division.AccuracyCut, "accuracy_short": e.Division.AccuracyShort}))
	}
	return nil
}

// next counts, from 1, what is told of the student that a stage belongs to.
func (n *numbers) next(counts *map[string]int, stage string) int {
	if *counts == nil {
		*counts = map[string]int{}
	}
	student := studentOf(stage)
	(*counts)[student]++
	return (*counts)[student]
}

// at is the step of the last measurement of the student that a stage makes; the teacher's is 0.
func (n *numbers) at(stage string) int {
	if stage == "teacher" {
		return 0
	}
	return n.measured[studentOf(stage)]
}

// studentOf is the name of the student that a stage makes, where a run has several: the stages are called "small/blocks".
func studentOf(stage string) string {
	if name, _, several := strings.Cut(stage, "/"); several {
		return name
	}
	return ""
}

func (n *numbers) curve(of event.Phase, e event.Curve) (out []number) {
	if n.steps == nil {
		n.steps = map[event.Phase]int{}
	}
	for _, p := range e.Points {
		if p.Step <= n.steps[of] {
			continue
		}
		n.steps[of] = p.Step
		out = append(out, rows(of, p.Step, e.Kept, map[string]float64{"gradient_norm": p.Norm, "learning_rate": p.LR, "loss": p.Loss})...)
	}
	return out
}

// model are the numbers of a network. The teacher's step is 0, and students count from 1.
func (n *numbers) model(stage, when string, m report.Model, kept bool) []number {
	step := 0
	if when != "" {
		step = n.next(&n.measured, stage)
	}
	values := map[string]float64{"parameters": float64(m.Parameters), "bytes": float64(m.Bytes)}
	add := func(what string, a report.Accuracy) {
		for task, share := range a {
			values[what+"/"+task] = share
		}
	}
	add("accuracy", m.Accuracy)
	add("ood", m.OOD)
	for name, of := range m.Metrics {
		add(name, of)
	}
	if m.LatencyMS != (report.Latency{}) {
		values["latency_ms/p50"], values["latency_ms/p99"] = m.LatencyMS.P50, m.LatencyMS.P99
	}
	if m.Throughput != (report.Throughput{}) {
		values["answers_per_s"] = m.Throughput.AnswersPerS
	}
	if m.Confidence != nil {
		values["ece"] = m.Confidence.ECE
	}
	return rows(event.Phase{Stage: stage, Name: "measured", Detail: when}, step, kept, values)
}

func ofGate(e event.GateResult) map[string]float64 {
	passed := 0.
	if e.Passed {
		passed = 1
	}
	values := map[string]float64{"alpha": e.Gate.Alpha, "drop": e.Gate.Drop, "drop_low": e.Gate.CI[0], "drop_high": e.Gate.CI[1], "passed": passed}
	for task, d := range e.Gate.Tasks {
		values["drop/"+task] = d.Drop
	}
	return values
}

func some(values map[string]*float64) map[string]float64 {
	out := map[string]float64{}
	for name, v := range values {
		if v != nil {
			out[name] = *v
		}
	}
	return out
}

// rows are values in the order of their names; what is no number is left out.
func rows(of event.Phase, step int, kept bool, values map[string]float64) (out []number) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if v := values[name]; !math.IsNaN(v) && !math.IsInf(v, 0) {
			out = append(out, number{of, step, name, v, kept})
		}
	}
	return out
}
