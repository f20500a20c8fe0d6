package stage

import (
	"cmp"
	"context"
	"fmt"

	"espalier/pipeline/chain"
	"espalier/pipeline/config"
	"espalier/pipeline/event"
	"espalier/pipeline/network"
	"espalier/pipeline/random"
	"espalier/pipeline/report"
)

// Division is a way to share a size out, as a configuration whose stages say what they keep.
type Division struct {
	Config *config.Config
	Report report.Division
	Depth  int // blocks of all towers, as a measure of time that no machine changes; 0 where the target is a time
}

// TryDivisions runs the stages of each division in short, one cut each and some steps of distillation in all, and measures the student
// on a part of the validation split: what counts is what can be won back. It gives the number of the best.
func TryDivisions(ctx context.Context, c *chain.Chain, in Input, name string, divisions []*Division, steps int, student func() *network.Held) (best int, err error) {
	for _, d := range divisions {
		in.Config = d.Config
		if err := tryDivision(ctx, c, in, cmp.Or(name, "target"), d, steps, student()); err != nil {
			return 0, fmt.Errorf("division %q: %w", d.Report.Name, err)
		}
	}
	return bestDivision(divisions), nil
}

// A division is better than the one before it by so much, twice that if it is deeper and so takes more time, or it is as good and so much
// less deep. Less would be chance: the pictures are few, the training is short, and the first division is the one that did best elsewhere. Latencies have
// no say: no two measurements are alike, and equal runs must make equal students.
const (
	clearlyBetter  = .02
	clearlyShorter = .9
)

func bestDivision(divisions []*Division) (best int) {
	for i, d := range divisions {
		a, b := d, divisions[best]
		more, enough := *a.Report.AccuracyShort-*b.Report.AccuracyShort, clearlyBetter
		switch {
		case float64(a.Depth) < clearlyShorter*float64(b.Depth):
			enough = 0
		case clearlyShorter*float64(a.Depth) > float64(b.Depth):
			enough = 2 * clearlyBetter
		}
		if more >= enough {
			best = i
		}
	}
	return best
}

func tryDivision(ctx context.Context, c *chain.Chain, in Input, name string, d *Division, steps int, student *network.Held) error {
	defer func() { student.Free() }()
	t := &tournament{chain: c, pictures: someOf(in.Splits.Validation, in.Config.Seed)}
	names := in.Config.Stages.Names()
	unit := steps / (len(names) + 1) // the last stage recovers what all have cut
	for i := range names {
		s, err := newStage(in, i, student)
		if err != nil {
			return err
		}
		t.one, s.name = s, name
		each, last := unit, i+1 == len(names)
		if last {
			each = steps - unit*i
		}
		scored, err := s.score(ctx, c, t.at("score "+names[i], d.Report.Name), s.cfg.Own(), 1, student)
		if err != nil {
			return err
		}
		plan, err := s.plan(student.Declared(), scored.Value, s.cfg.Cuts)
		if err != nil {
			return err
		}
		_, cut, err := t.slice(ctx, c, t.at("cut "+names[i], d.Report.Name), student, plan)
		if err != nil {
			return err
		}
		student.Free()
		student = cut
		if last {
			if d.Report.AccuracyCut, err = t.accuracy(ctx, d.Report.Name, student, "just cut"); err != nil {
				return err
			}
		}
		trained, err := s.train(ctx, c, t.at("distil "+names[i], d.Report.Name),
			distilInputOf(s, student, each, finalBetweenCuts, random.Stream(in.Config.Seed, "divisions", i)))
		if err != nil {
			return err
		}
		student.Free()
		student = trained
	}
	var err error
	if d.Report.AccuracyShort, err = t.accuracy(ctx, d.Report.Name, student, fmt.Sprintf("after %d steps", steps)); err != nil {
		return err
	}
	d.Report.Steps = steps
	in.Events.Emit(event.Tried{Target: name, Division: d.Report})
	return nil
}
