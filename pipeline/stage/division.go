package stage

import (
	"context"
	"fmt"

	"espalier/pipeline/chain"
	"espalier/pipeline/config"
	"espalier/pipeline/event"
	"espalier/pipeline/network"
	"espalier/pipeline/random"
	"espalier/pipeline/report"
	"espalier/pruning"
)

// Division is a way to share a size out, as a configuration whose stages say what they keep.
type Division struct {
	Config *config.Config
	Report report.Division
}

// TryDivisions cuts the student down to the end of each division in one go, trains it for some steps, and measures it on a part
// of the validation split: what counts is what can be won back. The best is marked as chosen; of those that are as good, the
// fastest.
func TryDivisions(ctx context.Context, c *chain.Chain, in Input, name string, divisions []*Division, steps int, student func() *network.Held) (best int, err error) {
	for i, d := range divisions {
		if err := tryDivision(ctx, c, in, name, d, steps, student()); err != nil {
			return 0, fmt.Errorf("division %q: %w", d.Report.Name, err)
		}
		if a, b := d.Report, divisions[best].Report; i > 0 && (*a.AccuracyShort > *b.AccuracyShort+asGood ||
			*a.AccuracyShort >= *b.AccuracyShort-asGood && a.LatencyMS < b.LatencyMS) {
			best = i
		}
	}
	return best, nil
}

// asGood is how far apart accuracies may be that count as equal.
const asGood = .005

func tryDivision(ctx context.Context, c *chain.Chain, in Input, name string, d *Division, steps int, student *network.Held) (err error) {
	defer student.Free()
	in.Config = d.Config
	plan := pruning.Plan{Keep: map[string][]int{}}
	var last *one
	for i := range in.Config.Stages {
		if last, err = newStage(in, i, student); err != nil {
			return err
		}
		t := &tournament{one: last, chain: c}
		k := &candidate{report: report.Candidate{Name: config.Candidate{Criterion: last.cfg.Criterion, Loss: last.cfg.Loss}.String()}}
		scored, err := last.score(ctx, c, t.at(k, "score"), config.Candidate{Criterion: last.cfg.Criterion, Loss: last.cfg.Loss}, 1, student)
		if err != nil {
			return err
		}
		part, err := last.plan(student.Declared(), scored.Value, last.cfg.Cuts)
		if err != nil {
			return err
		}
		for axis, units := range part.Keep {
			plan.Keep[axis] = units
		}
	}
	t := &tournament{one: last, chain: c, pictures: someOf(in.Splits.Validation, in.Config.Seed)}
	last.name = "target"
	if name != "" {
		last.name = name
	}
	k := &candidate{report: report.Candidate{Name: d.Report.Name}}
	_, after, err := last.slice(ctx, c, t.at(k, "cut"), student, plan)
	if err != nil {
		return err
	}
	defer func() { k.student.Free() }()
	k.student = after
	if k.report.AccuracyCut, err = t.accuracy(ctx, k, "just cut"); err != nil {
		return err
	}
	train := distilInputOf(last, k.student, steps, finalBetweenCuts, random.Stream(in.Config.Seed, "divisions"))
	if k.student, err = last.train(ctx, c, t.at(k, "distil"), train); err != nil {
		k.student = after
		return err
	}
	if k.report.AccuracyShort, err = t.accuracy(ctx, k, fmt.Sprintf("after %d steps", steps)); err != nil {
		return err
	}
	d.Report.AccuracyCut, d.Report.AccuracyShort, d.Report.Steps = k.report.AccuracyCut, k.report.AccuracyShort, steps
	in.Events.Emit(event.Tried{Target: last.name, Division: d.Report})
	return nil
}
