package stage

import (
	"cmp"
	"context"
	"fmt"
	"maps"

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
// of the validation split: what counts is what can be won back. It gives the number of the best; of those that are as good, the
// fastest.
func TryDivisions(ctx context.Context, c *chain.Chain, in Input, name string, divisions []*Division, steps int, student func() *network.Held) (best int, err error) {
	in.Config = divisions[0].Config
	scores, err := scoresOfAll(ctx, c, in, student())
	if err != nil {
		return 0, err
	}
	for i, d := range divisions {
		in.Config = d.Config
		if err := tryDivision(ctx, c, in, name, d, scores, steps, student()); err != nil {
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

// scoresOfAll are what the stages would score of the uncut student. They do not depend on how much is kept.
func scoresOfAll(ctx context.Context, c *chain.Chain, in Input, student *network.Held) (all []pruning.Scores, err error) {
	defer student.Free()
	for i := range in.Config.Stages {
		s, err := newStage(in, i, student)
		if err != nil {
			return nil, err
		}
		t := &tournament{one: s, chain: c}
		scored, err := s.score(ctx, c, t.at("score", s.cfg.Own().String()), s.cfg.Own(), 1, student)
		if err != nil {
			return nil, err
		}
		all = append(all, scored.Value)
	}
	return all, nil
}

func tryDivision(ctx context.Context, c *chain.Chain, in Input, name string, d *Division, scores []pruning.Scores, steps int, student *network.Held) error {
	defer student.Free()
	plan := pruning.Plan{Keep: map[string][]int{}}
	t := &tournament{chain: c, pictures: someOf(in.Splits.Validation, in.Config.Seed)}
	for i := range in.Config.Stages {
		s, err := newStage(in, i, student)
		if err != nil {
			return err
		}
		part, err := s.plan(student.Declared(), scores[i], s.cfg.Cuts)
		if err != nil {
			return err
		}
		maps.Copy(plan.Keep, part.Keep)
		t.one = s // the last one recovers what all have cut
	}
	t.name = cmp.Or(name, "target")
	_, cut, err := t.slice(ctx, c, t.at("cut", d.Report.Name), student, plan)
	if err != nil {
		return err
	}
	defer cut.Free()
	if d.Report.AccuracyCut, err = t.accuracy(ctx, d.Report.Name, cut, "just cut"); err != nil {
		return err
	}
	trained, err := t.one.train(ctx, c, t.at("distil", d.Report.Name),
		distilInputOf(t.one, cut, steps, finalBetweenCuts, random.Stream(in.Config.Seed, "divisions")))
	if err != nil {
		return err
	}
	defer trained.Free()
	if d.Report.AccuracyShort, err = t.accuracy(ctx, d.Report.Name, trained, fmt.Sprintf("after %d steps", steps)); err != nil {
		return err
	}
	d.Report.Steps = steps
	in.Events.Emit(event.Tried{Target: t.name, Division: d.Report})
	return nil
}
