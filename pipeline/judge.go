package pipeline

import (
	"context"
	"time"

	"espalier/model"
	"espalier/pipeline/config"
	"espalier/pipeline/report"
)

// judge measures the stage's student and lets the gate decide on the validation split.
func (r *run) judge(ctx context.Context, index int, student model.Network) error {
	s, j := r.cfg.Stages[index], &r.journal.Stages[index]
	start := time.Now()
	m, err := r.measure(ctx, student, j.Name, Distilled)
	if err != nil {
		return err
	}
	j.Distilled = m
	r.events.Emit(StageMeasured{Stage: j.Name, When: Distilled, Model: m})
	r.events.Emit(Phase{Stage: j.Name, Name: "measure", Detail: "the gate's validation split"})
	marked, err := r.mark(ctx, student, r.validation)
	if err != nil {
		return err
	}
	j.Gate, err = report.NewGate(answersOf(r.validation.split, r.teacherMarks, marked), s.Alpha, s.AlphaTask, "validation", stream(r.cfg.Seed, "gate", index))
	if err != nil {
		return err
	}
	j.Seconds.Evaluate += time.Since(start).Seconds()
	passed, task := j.Gate.Passed()
	j.Accepted, j.Passed = passed, passed
	r.events.Emit(GateResult{Stage: j.Name, Gate: j.Gate, Passed: passed})
	if err := r.save(); err != nil {
		return err
	}
	if !passed {
		return gateError(j.Name, j.Gate, task, s)
	}
	return nil
}

func gateError(stage string, g report.Gate, task string, s config.StageConfig) error {
	e := &GateError{Stage: stage, Task: task, Split: g.Split, Drop: g.Drop, CI: g.CI, Alpha: s.Alpha}
	if task != "" {
		e.Drop, e.CI, e.Alpha = g.Tasks[task].Drop, g.Tasks[task].CI, *s.AlphaTask
	}
	return e
}
