// Package stage is one stage of a run: its cuts, each scored, proved and followed by its share of the distillation, and the
// gate.
package stage

import (
	"context"
	"fmt"
	"strings"

	"espalier/model"
	"espalier/pipeline/chain"
	"espalier/pipeline/config"
	"espalier/pipeline/corpus"
	"espalier/pipeline/event"
	"espalier/pipeline/measure"
	"espalier/pipeline/network"
	"espalier/pipeline/report"
	"espalier/pipeline/teacher"
)

// Input is what all stages of a run work with.
type Input struct {
	Config  *config.Config
	Events  event.Events
	Prefix  string // of the stages' names, where a run has several students: "small/"
	Teacher *teacher.Teacher
	Outputs *teacher.Outputs
	Train   *corpus.Corpus
	Splits  measure.Splits
	Marks   measure.Marks // the teacher's, on the validation split
	Test    measure.Marks // and on the test split
}

// one is a stage at work.
type one struct {
	Input        // as the student reads
	whole  Input // as the teacher does
	reads  []int // the tokens that Input is of; nil: all
	index  int
	name   string              // its own, as "hidden-2"
	at     string              // its place within the chain: the name, and which further try it is
	what   string              // the same for the reader
	cfg    *config.StageConfig // of this try: with the way to score that was chosen, and the steps that are left
	starts map[string]int      // units of each axis when the stage began: the widths between cuts are reckoned from them
	report report.Stage
}

// firstTry is what the report calls the stage as its configuration has it.
const firstTry = "as configured"

// Run makes the cuts of a stage, measures the student, asks the gate, and tries other ways where it does not pass or a task has collapsed. It
// takes over the student of the stage before; where no try is accepted it gives that one back, with a *GateError. The report is whole when err is
// nil or a *GateError.
func Run(ctx context.Context, c *chain.Chain, in Input, index int, start *network.Held) (*network.Held, report.Stage, error) {
	s, err := newStage(in, index, start)
	if err != nil {
		return nil, report.Stage{}, err
	}
	begun, err := runTournament(ctx, c, s, start)
	if err != nil {
		return nil, s.report, err
	}
	s.report.Criterion = s.cfg.Criterion
	student, err := s.cutAll(ctx, c, start, begun)
	if err != nil {
		return nil, s.report, err
	}
	if err := s.judge(ctx, c, student); err != nil {
		student.Free()
		return nil, s.report, err
	}
	if settled(s.report) {
		s.report.Tried = nil // there is no other to tell it from
		return student, s.report, nil
	}
	if student, err = s.retry(ctx, c, start, student); err != nil || student != nil {
		return student, s.report, err
	}
	refused := &GateError{Stage: s.name, Gate: s.report.Gate}
	if index > 0 {
		refused.Kept = in.Config.Stages.Names()[index-1]
	}
	return start, s.report, refused
}

// cutAll makes the cuts from the student that the stage begins with, each followed by its share of the distillation. begun is
// the first cut after some of that, or nil.
func (s *one) cutAll(ctx context.Context, c *chain.Chain, student, begun *network.Held) (*network.Held, error) {
	if err := readAs(s, student.Declared(), false); err != nil { // a try before this one may have cut the vocabulary
		return nil, err
	}
	for cut := 1; cut <= s.cfg.Cuts; cut++ {
		next, err := s.cut(ctx, c, cut, student, begun)
		student.Free()
		if err != nil {
			return nil, err
		}
		student = next
	}
	return student, nil
}

func newStage(in Input, index int, start *network.Held) (*one, error) {
	name, cfg := in.Config.Stages.Names()[index], in.Config.Stages[index]
	s := &one{whole: in, index: index, name: in.Prefix + name, at: in.Prefix + name, what: firstTry, cfg: &cfg,
		starts: start.Declared().Store().Sizes(), report: report.Stage{Name: name}}
	return s, readAs(s, start.Declared(), false)
}

// place names a step of the stage.
func (s *one) place(step string, cut int) chain.Place {
	return chain.Place{At: fmt.Sprintf("%s/%s %d", s.at, step, cut),
		Phase: event.Phase{Stage: s.name, Name: step, Detail: fmt.Sprintf("cut %d/%d%s", cut, s.cfg.Cuts, whichTry(s))}}
}

// whichTry tells a further try's phases from those of the first one.
func whichTry(s *one) string {
	if s.at == s.name {
		return ""
	}
	return ", " + strings.TrimPrefix(s.at, s.name+"/")
}

// cut scores, plans, slices, proves and distils once. begun is the same cut after a first share of its distillation, or nil.
func (s *one) cut(ctx context.Context, c *chain.Chain, cut int, student, begun *network.Held) (*network.Held, error) {
	scored, err := s.score(ctx, c, s.place("score", cut), s.cfg.Own(), cut, student)
	if err != nil {
		return nil, err
	}
	if groups := histogramsOf(student.Declared(), scored.Value); len(groups) > 0 {
		s.Events.Emit(event.Histograms{Of: event.Importance, Stage: s.name, Cut: cut, Kept: scored.Reused, Groups: groups})
	}
	plan, err := s.plan(student.Declared(), scored.Value, cut)
	if err != nil {
		return nil, err
	}
	made, after, err := s.slice(ctx, c, s.place("cut", cut), student, plan)
	if err != nil {
		return nil, err
	}
	defer after.Free()
	s.report.Seconds.Importance += scored.Seconds
	s.report.Seconds.Prune += made.Seconds
	s.report.Cuts = append(s.report.Cuts, report.Cut{Parameters: made.Value.Parameters, SliceMaskMaxDiff: made.Value.Diff})
	s.report.SliceMaskMaxDiff = max(s.report.SliceMaskMaxDiff, made.Value.Diff)
	s.Events.Emit(event.Cut{Stage: s.name, Cut: cut, Of: s.cfg.Cuts, Kept: made.Reused, Parameters: made.Value.Parameters, SliceMaskMaxDiff: made.Value.Diff,
		Left: leftText(plan, after.Declared())})
	if cut == s.cfg.Cuts {
		subject := s.subject(after, event.Pruned)
		m, err := s.measure(ctx, c, subject)
		subject.Network.Free()
		if err != nil {
			return nil, err
		}
		s.report.Pruned = m.Model
		s.report.Seconds.Evaluate += m.Seconds
	}
	if begun != nil {
		after.Free()
		after = begun
	}
	return s.distil(ctx, c, cut, after)
}

// subject is a student to measure, in the form of its checkpoint: what is measured is what is written.
func (s *one) subject(student *network.Held, when event.When) measure.Subject {
	return measure.Subject{Network: Stored(s.Config, s.Teacher, student), Stage: s.name, At: s.at + "/" + string(when), When: when, Teacher: &s.Test}
}

func (s *one) measure(ctx context.Context, c *chain.Chain, subject measure.Subject) (measure.Measured, error) {
	m, err := measure.Of(ctx, c, subject, s.Splits, s.Config.Eval)
	if err != nil {
		return m, err
	}
	s.Events.Emit(event.StageMeasured{Stage: s.name, When: subject.When, Kept: m.Kept, Model: m.Model})
	s.Events.Emit(event.Histograms{Of: event.Weights, Stage: s.name, When: subject.When, Kept: m.Kept, Groups: m.Weights})
	s.Events.Emit(event.Answers{Stage: s.name, When: subject.When, Pictures: measure.Shown(s.Splits.Test.Split, s.Test, &m.Test)})
	return m, nil
}

// judge measures the stage's student and lets the gate decide on the validation split.
func (s *one) judge(ctx context.Context, c *chain.Chain, student *network.Held) error {
	subject := s.subject(student, event.Distilled)
	defer subject.Network.Free()
	marks, err := measure.MarksOf(ctx, c, subject, s.Splits.Validation, s.Config.Eval, "the gate's validation split")
	if err != nil {
		return err
	}
	subject.Validation = &marks.Value
	m, err := s.measure(ctx, c, subject)
	if err != nil {
		return err
	}
	s.report.Distilled = m.Model
	s.report.Seconds.Evaluate += m.Seconds + marks.Seconds
	own := &s.Config.Stages[s.index] // no try changes what may be lost
	limits := report.Limits{Alpha: own.Alpha, AlphaTask: own.AlphaTask, Need: own.Gate}
	s.report.Gate, err = report.NewGate(measure.Pairs(s.Splits.Validation.Split, s.Marks, marks.Value), limits, "validation")
	if err != nil {
		return err
	}
	s.report.Accepted = s.report.Gate.Passed()
	s.report.Attempts++
	s.report.Tried = append(s.report.Tried, report.Try{What: s.what, Gate: s.report.Gate, Accepted: s.report.Accepted})
	s.Events.Emit(event.GateResult{Stage: s.name, Kept: marks.Reused, Gate: s.report.Gate, Passed: s.report.Accepted})
	return nil
}

// settled tells whether the student can stand: the gate passed, and no task collapsed, which later stages seldom win back. A gate that may lose
// everything asks for nothing.
func settled(s report.Stage) bool {
	return s.Accepted && (len(s.Gate.Collapsed) == 0 || s.Gate.Alpha >= 1)
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
