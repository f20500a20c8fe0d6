// Package stage is one stage of a run: its cuts, each scored, proved and followed by its share of the distillation, and the
// gate.
package stage

import (
	"context"
	"fmt"

	"espalier/model"
	"espalier/pipeline/chain"
	"espalier/pipeline/config"
	"espalier/pipeline/corpus"
	"espalier/pipeline/event"
	"espalier/pipeline/measure"
	"espalier/pipeline/network"
	"espalier/pipeline/random"
	"espalier/pipeline/report"
	"espalier/pipeline/teacher"
)

// Input is what all stages of a run work with.
type Input struct {
	Config  *config.Config
	Events  event.Events
	Teacher *teacher.Teacher
	Outputs *teacher.Outputs
	Train   *corpus.Corpus
	Splits  measure.Splits
	Marks   measure.Marks // the teacher's, on the validation split
}

// one is a stage at work.
type one struct {
	Input        // as the student reads
	whole  Input // as the teacher does
	index  int
	name   string // its own, as "hidden-2"
	cfg    *config.StageConfig
	starts map[string]int // units of each axis when the stage began: the widths between cuts are reckoned from them
	report report.Stage
}

// Run makes the cuts of a stage, measures the student, and asks the gate. It takes over the student of the stage before.
// The report is whole when err is nil or a *GateError.
func Run(ctx context.Context, c *chain.Chain, in Input, index int, student *network.Held) (*network.Held, report.Stage, error) {
	s := &one{whole: in, index: index, name: in.Config.StageNames()[index], cfg: &in.Config.Stages[index], starts: student.Declared().Store().Structure().Axes}
	s.report = report.Stage{Name: s.name, Criterion: s.cfg.Criterion, Attempts: 1}
	var err error
	if s.Input, err = in.over(student.Declared(), nil); err != nil {
		student.Free()
		return nil, s.report, err
	}
	for cut := 1; cut <= s.cfg.Cuts; cut++ {
		next, err := s.cut(ctx, c, cut, student)
		student.Free()
		if err != nil {
			return nil, s.report, err
		}
		student = next
	}
	if err := s.judge(ctx, c, student); err != nil {
		student.Free()
		return nil, s.report, err
	}
	return student, s.report, nil
}

// place names a step of the stage.
func (s *one) place(step string, cut int) chain.Place {
	return chain.Place{At: fmt.Sprintf("%s/%s %d", s.name, step, cut),
		Phase: event.Phase{Stage: s.name, Name: step, Detail: fmt.Sprintf("cut %d/%d", cut, s.cfg.Cuts)}}
}

// cut scores, plans, slices, proves and distils once.
func (s *one) cut(ctx context.Context, c *chain.Chain, cut int, student *network.Held) (*network.Held, error) {
	scored, err := s.score(ctx, c, cut, student)
	if err != nil {
		return nil, err
	}
	plan, err := s.plan(student.Declared(), scored.Value, cut)
	if err != nil {
		return nil, err
	}
	made, after, err := s.slice(ctx, c, cut, student, plan)
	if err != nil {
		return nil, err
	}
	defer after.Free()
	s.report.Seconds.Importance += scored.Seconds
	s.report.Seconds.Prune += made.Seconds
	s.report.Cuts = append(s.report.Cuts, report.Cut{Parameters: made.Value.Parameters, SliceMaskMaxDiff: made.Value.Diff})
	s.report.SliceMaskMaxDiff = max(s.report.SliceMaskMaxDiff, made.Value.Diff)
	s.Events.Emit(event.Cut{Stage: s.name, Cut: cut, Of: s.cfg.Cuts, Parameters: made.Value.Parameters, SliceMaskMaxDiff: made.Value.Diff,
		Kept: keptText(plan, after.Declared())})
	if cut == s.cfg.Cuts {
		subject := s.subject(after, event.Pruned)
		m, seconds, err := s.measure(ctx, c, subject)
		subject.Network.Free()
		if err != nil {
			return nil, err
		}
		s.report.Pruned = m
		s.report.Seconds.Evaluate += seconds
	}
	return s.distil(ctx, c, cut, after)
}

// subject is a student to measure, in the form of its checkpoint: what is measured is what is written.
func (s *one) subject(student *network.Held, when event.When) measure.Subject {
	return measure.Subject{Network: Stored(s.Config, s.Teacher, student), Stage: s.name, At: s.name + "/" + string(when), When: when}
}

func (s *one) measure(ctx context.Context, c *chain.Chain, subject measure.Subject) (report.Model, float64, error) {
	m, seconds, err := measure.Of(ctx, c, subject, s.Splits, s.Config.Eval)
	if err == nil {
		s.Events.Emit(event.StageMeasured{Stage: s.name, When: subject.When, Model: m})
	}
	return m, seconds, err
}

// judge measures the stage's student and lets the gate decide on the validation split.
func (s *one) judge(ctx context.Context, c *chain.Chain, student *network.Held) error {
	subject := s.subject(student, event.Distilled)
	defer subject.Network.Free()
	m, seconds, err := s.measure(ctx, c, subject)
	if err != nil {
		return err
	}
	marks, err := measure.MarksOf(ctx, c, subject, s.Splits.Validation, s.Config.Eval, "the gate's validation split")
	if err != nil {
		return err
	}
	s.report.Distilled = m
	s.report.Seconds.Evaluate += seconds + marks.Seconds
	s.report.Gate, err = report.NewGate(measure.Pairs(s.Splits.Validation.Split, s.Marks, marks.Value), s.cfg.Alpha, s.cfg.AlphaTask, "validation",
		random.Stream(s.Config.Seed, "gate", s.index))
	if err != nil {
		return err
	}
	passed, task := s.report.Gate.Passed()
	s.report.Accepted = passed
	s.Events.Emit(event.GateResult{Stage: s.name, Gate: s.report.Gate, Passed: passed})
	if !passed {
		return gateError(s.name, s.report.Gate, task, s.cfg)
	}
	return nil
}

// Stored is a student as its checkpoint holds it, in the dtypes of export.dtype. What has its dtype already shares the
// student's memory.
func Stored(cfg *config.Config, t *teacher.Teacher, student *network.Held) *network.Held {
	dtypes := cfg.ExportDtypes(t.Dtypes)
	return network.New(chain.Of([]any{student.Print(), dtypes}), student.Declared(), nil, func() (model.Network, error) {
		n, err := student.Get()
		if err != nil {
			return nil, err
		}
		return stored(cfg, n, dtypes)
	})
}
