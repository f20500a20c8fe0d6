package pipeline

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"espalier/pipeline/card"
	"espalier/pipeline/config"
	"espalier/pipeline/event"
	"espalier/pipeline/fault"
	"espalier/pipeline/measure"
	"espalier/pipeline/report"
	"espalier/pipeline/stage"
	"espalier/pipeline/target"
	"espalier/pipeline/teacher"
)

// goal is a student that the run makes: of a target, or of what the stages say that they keep.
type goal struct {
	name      string // empty where it is the only one
	target    *report.Target
	divisions []*stage.Division // the one to go with first
}

// plan finds what the stages keep for each target, and changes it to what the export can express.
func (r *run) plan(ctx context.Context, t *teacher.Teacher, c corpora) ([]*goal, error) {
	if err := r.cfg.Stages.CheckKeep(t.Declared()); err != nil {
		return nil, err
	}
	if len(r.cfg.Targets) == 0 {
		notes, err := r.cfg.FitExport(t.Declared())
		for _, n := range notes {
			r.events.Note("%s", n)
		}
		return []*goal{{divisions: []*stage.Division{{Config: r.cfg}}}}, err
	}
	cfg := r.cfg.Clone() // with how many tokens stay: the solver has no data
	if err := countTokens(ctx, r, t, c, cfg); err != nil {
		return nil, err
	}
	began := time.Now()
	solver, err := target.NewSolver(ctx, r.chain, target.Input{Config: cfg, Teacher: t.Declared(), Dtypes: t.Dtypes, Questions: c.Validation})
	if err != nil {
		return nil, err
	}
	var goals []*goal
	for _, wanted := range r.cfg.Targets {
		solved, err := solver.Solve(wanted)
		if err != nil {
			return nil, err
		}
		g := &goal{name: wanted.Name, target: &report.Target{Name: wanted.Name, Key: solved.Key, Want: solved.Want}}
		for _, d := range solved.Divisions {
			told := report.Division{Name: d.Name, Keeps: d.Keeps, Parameters: d.Parameters, LanguageBlocks: d.LanguageBlocks, Bytes: d.Bytes, LatencyMS: d.LatencyMS}
			g.target.Divisions = append(g.target.Divisions, told)
			division := &stage.Division{Config: d.Config, Report: told, Depth: d.Depth}
			if solved.Key == "latency_ms" {
				division.Depth = 0 // they take the same time
			}
			g.divisions = append(g.divisions, division)
		}
		r.events.Emit(event.Divided{Target: *g.target, Seconds: time.Since(began).Seconds()})
		began = time.Now()
		goals = append(goals, g)
	}
	if len(goals) == 1 {
		goals[0].name = ""
	}
	return goals, nil
}

// countTokens says in a configuration how many tokens stay where it says that those do which are used.
func countTokens(ctx context.Context, r *run, t *teacher.Teacher, c corpora, cfg *config.Config) error {
	for i := range cfg.Stages {
		k := &cfg.Stages[i].Keep.Vocabulary
		if !k.Used {
			continue
		}
		if r.cfg.Teacher.Train != nil && c.train.Asked.Lacks() {
			return fault.Inputf(`target: keep.vocabulary = "used" counts the teacher's answers to training questions without an answer, and the teacher of ` +
				"[teacher.train] is trained after the sizes are chosen; give all of them an answer, or say how many tokens stay")
		}
		if err := complete(ctx, r, t, c); err != nil {
			return err
		}
		n := t.Declared().Config()
		tokens, err := c.train.Asked.Tokens(c.train.Words.Answers, n.Text.Vocabulary, 0, n.TokenIDs())
		if err != nil {
			return err
		}
		*k = config.VocabularyKeep{Most: config.Keep{Units: len(tokens)}}
	}
	return nil
}

// complete gives training questions without an answer the teacher's.
func complete(ctx context.Context, r *run, t *teacher.Teacher, c corpora) error {
	n, err := t.Complete(ctx, r.chain, c.train, r.cfg.Eval.Batch, r.cfg.Eval.MaxAnswerTokens)
	if n > 0 {
		r.events.Note("%d training questions without an answer take the teacher's, and count for KL alone", n)
	}
	return err
}

// choose tries the divisions of a target and gives the configuration of the best one, less the steps that this took.
func (r *run) choose(ctx context.Context, in stage.Input, g *goal, whole report.Model) (*config.Config, error) {
	if g.target == nil {
		return g.divisions[0].Config, nil
	}
	best := 0
	if n := len(g.divisions); n > 1 {
		steps, _ := stepsOfDivisions(r.cfg.Stages, n)
		var err error
		if best, err = stage.TryDivisions(ctx, r.chain, in, g.name, g.divisions, steps, in.Teacher.First); err != nil {
			return nil, err
		}
		for i, d := range g.divisions {
			d.Report.Chosen = i == best
			g.target.Divisions[i] = d.Report
		}
		spend(g.divisions[best].Config.Stages, n)
	} else {
		g.target.Divisions[0].Chosen = true
	}
	g.target.Predict(whole, g.target.Divisions[best])
	return g.divisions[best].Config, nil
}

// stepsOfDivisions is for how many steps each of so many divisions is trained, and how many the stages have in all.
func stepsOfDivisions(stages config.Stages, n int) (steps, total int) {
	for _, s := range stages {
		total += s.Distil.Steps
	}
	return total / divisionShare / n, total
}

// spend takes the steps of the divisions from those of the stages.
func spend(stages config.Stages, n int) {
	steps, total := stepsOfDivisions(stages, n)
	for i := range stages {
		stages[i].Spend(steps * n * stages[i].Distil.Steps / max(1, total))
	}
}

// divisionShare: the divisions of a target train for this part of all steps, together.
const divisionShare = 10

// make runs the stages towards a goal, and writes the student of the last one that was accepted. A stage that was not is a
// *stage.GateError, beside which the other results are whole. The energy of the first goal's student goes into out.
func (r *run) make(ctx context.Context, in stage.Input, g *goal, out *report.Report) (made report.Model, stages []report.Stage, err error) {
	whole := out.Teacher
	if in.Config, err = r.choose(ctx, in, g, whole); err != nil {
		return made, nil, err
	}
	student, accepted, refused := in.Teacher.First(), false, (*stage.GateError)(nil)
	made = whole
	var told []card.Stage
	for i := 0; i < len(in.Config.Stages) && refused == nil; i++ {
		var done report.Stage
		before := student.Declared()
		if student, done, err = stage.Run(ctx, r.chain, in, i, student); err != nil && !errors.As(err, &refused) {
			return made, nil, err
		}
		done.Failures = done.FailuresAfter(made)
		for _, name := range done.Told(made) {
			r.events.Note("stage %s: %s", in.Prefix+done.Name, name)
		}
		if done.Accepted {
			made, accepted = done.Distilled, true
		}
		stages = append(stages, done)
		told = append(told, card.Stage{Stage: done, Before: before, After: student.Declared(), Scored: scoredBy(&in.Config.Stages[i], done), Steps: in.Config.Stages[i].Distil.Steps})
	}
	defer student.Free()
	if !accepted && r.cfg.Export.DType != "teacher" { // in other dtypes the teacher is another network
		stored := stage.Stored(r.cfg, in.Teacher, student)
		defer stored.Free()
		measured, err := measure.Of(ctx, r.chain, measure.Subject{Network: stored, Stage: "student", At: in.Prefix + "student", Teacher: &in.Test}, in.Splits, r.cfg.Eval)
		if err != nil {
			return made, nil, err
		}
		made = measured.Model
	}
	folders := []string{"student"}
	if g.name != "" {
		folders = []string{filepath.Join("students", g.name)}
		if g.name == r.cfg.Targets[0].Name { // a run always leaves a student
			folders = append(folders, "student")
		}
	}
	text, err := cardOf(ctx, r, in, madeOf{whole, made, told, g.target}, student)
	if err != nil {
		return made, nil, err
	}
	for _, folder := range folders {
		if err := r.keepStudent(in, student, folder, text); err != nil {
			return made, nil, err
		}
	}
	if r.cfg.Energy != nil && out.Energy == nil {
		if out.Energy, err = energyOf(ctx, r, in, student); err != nil {
			return made, nil, err
		}
	}
	if refused != nil {
		return made, stages, refused
	}
	return made, stages, nil
}
