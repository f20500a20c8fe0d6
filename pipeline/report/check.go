package report

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
)

// Check holds a finished run's report against itself: what is a sum must be the sum, what is a share must be one.
// It names every fault, one a line.
func (r *Report) Check() error {
	c := &checker{}
	if err := Finite(r); err != nil {
		c.add("%v", err)
	}
	c.model("teacher", r.Teacher, true)
	c.model("student", r.Student, true)
	c.flips("student", r.Teacher, r.Student)
	if len(r.Stages) == 0 {
		c.add("stages: there are none")
	}
	for i, s := range r.Stages {
		name := fmt.Sprintf("stages[%d] %q", i, s.Name)
		c.stage(name, s)
		c.flips(name+".pruned", r.Teacher, s.Pruned)
		c.flips(name+".distilled", r.Teacher, s.Distilled)
	}
	left, who := r.Teacher.Parameters, "the teacher, since no stage was accepted, has"
	if s := r.Accepted(); s != nil {
		left, who = s.Distilled.Parameters, "the last stage that was accepted left"
	}
	if len(r.Stages) > 0 && left != r.Student.Parameters {
		c.add("student.parameters is %d, but %s %d", r.Student.Parameters, who, left)
	}
	want := RatioOf(r.Teacher, r.Student)
	c.equal("ratio.model", r.Ratio.Model, want.Model)
	c.equal("ratio.language_blocks", r.Ratio.LanguageBlocks, want.LanguageBlocks)
	c.equal("ratio.latency_p50", r.Ratio.LatencyP50, want.LatencyP50)
	c.equal("ratio.throughput", r.Ratio.Throughput, want.Throughput)
	if e := r.Energy; e != nil {
		c.joules("energy.measured", e.Measured, Measured)
		c.joules("energy.modelled.joules", e.Modelled.Joules, Estimated)
	}
	c.positive("threads", float64(r.Threads))
	c.positive("seconds", r.Seconds)
	c.positive("peak_rss_bytes", float64(r.PeakRSSBytes))
	if r.TeacherSeconds < 0 || r.TeacherSeconds > r.Seconds {
		c.add("teacher_seconds is %g of %g seconds", r.TeacherSeconds, r.Seconds)
	}
	if len(r.Config) == 0 {
		c.add("config is empty")
	}
	if len(r.Versions) == 0 {
		c.add("versions is empty")
	}
	return errors.Join(c.faults...)
}

type checker struct{ faults []error }

func (c *checker) add(format string, args ...any) {
	c.faults = append(c.faults, fmt.Errorf("report: "+format, args...))
}

func (c *checker) positive(name string, v float64) {
	if !(v > 0) {
		c.add("%s is %g, not above 0", name, v)
	}
}

func (c *checker) equal(name string, got, want float64) {
	if math.Abs(got-want) > 1e-9*math.Abs(want) {
		c.add("%s is %g, but the models give %g", name, got, want)
	}
}

// model checks M; timed ones must have latency and throughput.
func (c *checker) model(name string, m Model, timed bool) {
	if sum := m.ParametersByPart.Sum(); sum != m.Parameters {
		c.add("%s.parameters is %d, but its parts sum to %d", name, m.Parameters, sum)
	}
	c.positive(name+".parameters", float64(m.Parameters))
	c.positive(name+".bytes", float64(m.Bytes))
	c.accuracy(name+".accuracy", m.Accuracy)
	for _, category := range slices.Sorted(maps.Keys(m.AccuracyByCategory)) {
		c.accuracy(name+".accuracy_by_category."+category, m.AccuracyByCategory[category])
	}
	if m.OOD != nil {
		c.accuracy(name+".ood", m.OOD)
	}
	c.audit(name, m)
	if timed || m.LatencyMS != (Latency{}) {
		c.positive(name+".latency_ms.p50", m.LatencyMS.P50)
		c.positive(name+".latency_ms.batch", float64(m.LatencyMS.Batch))
		if m.LatencyMS.P99 < m.LatencyMS.P50 {
			c.add("%s.latency_ms.p99 is %g, below the p50 of %g", name, m.LatencyMS.P99, m.LatencyMS.P50)
		}
	}
	if timed || m.Throughput != (Throughput{}) {
		c.positive(name+".throughput.answers_per_s", m.Throughput.AnswersPerS)
		c.positive(name+".throughput.batch", float64(m.Throughput.Batch))
	}
}

// joules checks that what is estimated does not stand among what is measured.
func (c *checker) joules(name string, j *Joules, basis Basis) {
	if j == nil {
		return
	}
	if j.Basis != basis {
		c.add("%s is %q, not %q", name, j.Basis, basis)
	}
	for _, n := range j.Networks {
		c.positive(name+"."+n.Name+".gross_j", n.Gross.Low)
	}
}

func (c *checker) accuracy(name string, a Accuracy) {
	if _, ok := a[Overall]; !ok {
		c.add("%s has no %q", name, Overall)
	}
	for _, task := range slices.Sorted(maps.Keys(a)) {
		c.share(name+"."+task, a[task])
	}
}

func (c *checker) share(name string, v float64) {
	if !(v >= 0 && v <= 1) {
		c.add("%s is %g, not in [0, 1]", name, v)
	}
}

func (c *checker) stage(name string, s Stage) {
	c.model(name+".pruned", s.Pruned, false)
	c.model(name+".distilled", s.Distilled, true)
	if s.Pruned.Parameters != s.Distilled.Parameters {
		c.add("%s: %d parameters became %d in distillation", name, s.Pruned.Parameters, s.Distilled.Parameters)
	}
	if s.Attempts < 1 {
		c.add("%s.attempts is %d", name, s.Attempts)
	}
	if n := len(s.Tried); n > 0 && n != s.Attempts {
		c.add("%s.tried has %d tries, and the stage %d", name, n, s.Attempts)
	} else if n > 0 && s.Try() < 0 {
		c.add("%s.tried has no try with the stage's gate where accepted is %v", name, s.Accepted)
	}
	if s.Gate.CI[0] > s.Gate.CI[1] {
		c.add("%s.gate.ci is upside down: %v", name, s.Gate.CI)
	}
	if want := s.Gate.verdict(); s.Gate.Verdict != want {
		c.add("%s.gate.verdict is %q, but its intervals say %q", name, s.Gate.Verdict, want)
	}
	if passed := s.Gate.Passed(); passed != s.Accepted {
		c.add("%s.accepted is %v, but its gate says %v", name, s.Accepted, passed)
	}
	if s.Gate.Split == "" {
		c.add("%s.gate.split is empty", name)
	}
	worst := 0.0
	for _, cut := range s.Cuts {
		worst = max(worst, cut.SliceMaskMaxDiff)
	}
	if n := len(s.Cuts); n == 0 {
		c.add("%s.cuts: there are none", name)
	} else if s.Cuts[n-1].Parameters != s.Pruned.Parameters {
		c.add("%s: its last cut left %d parameters, but %d were measured", name, s.Cuts[n-1].Parameters, s.Pruned.Parameters)
	}
	if worst != s.SliceMaskMaxDiff {
		c.add("%s.slice_mask_max_diff is %g, but its cuts reach %g", name, s.SliceMaskMaxDiff, worst)
	}
}
