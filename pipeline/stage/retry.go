package stage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"espalier/pipeline/chain"
	"espalier/pipeline/config"
	"espalier/pipeline/event"
	"espalier/pipeline/network"
	"espalier/pipeline/random"
	"espalier/pipeline/report"
)

// again is one more way to make a stage that was not accepted.
type again struct {
	what, at string // for the reader; within the chain
	cfg      config.StageConfig
	goesOn   int // steps that the student as it is takes in place of new cuts; 0: the stage is made again from its beginning
}

// What further tries are called within the chain.
const moreSteps, moreCuts, halfBack = "more steps", "more cuts", "half"

// PlaceOf is where the chain has a try of a stage, from what the report calls it.
func PlaceOf(name, what string) string {
	switch {
	case strings.HasSuffix(what, moreSteps):
		return name + "/" + moreSteps
	case strings.HasPrefix(what, "the same size"):
		return name + "/" + moreCuts
	case strings.HasPrefix(what, "half"):
		return name + "/" + halfBack
	}
	return name
}

// triesOf are the further tries of a stage, in their order. Where a task collapsed more cuts come first: more steps have not brought one back
// (docs/decisions.md).
func triesOf(s *one, start *network.Held) (all []again) {
	last := s.cfg.StepsOf(s.cfg.Cuts)
	if more := s.cfg.Retry.More(last) - last; more > 0 {
		all = append(all, again{fmt.Sprintf("%d more steps", more), moreSteps, *s.cfg, more})
	}
	if s.cfg.Retry.Cuts == 1 {
		return all
	}
	chosen := func(cfg config.StageConfig) config.StageConfig { // with all the steps that the stage has: nothing is tried again
		cfg.Criterion, cfg.Loss, cfg.Distil.Steps = s.cfg.Criterion, s.cfg.Loss, s.Config.Stages[s.index].Distil.Steps
		return cfg.Gentler()
	}
	gentler := chosen(*s.cfg)
	all = append(all, again{fmt.Sprintf("the same size in %d cuts", gentler.Cuts), moreCuts, gentler, 0})
	if s.report.Accepted {
		slices.Reverse(all)
		return all // a larger student would not be what the stage asks for
	}
	if len(s.Config.Targets) > 0 {
		return all // a larger student would miss its target
	}
	if half, ok := s.Config.HalfBack(s.index, start.Declared(), s.Teacher.Declared()); ok {
		larger := chosen(half.Stages[s.index])
		all = append(all, again{fmt.Sprintf("half of the cut, in %d cuts", larger.Cuts), halfBack, larger, 0})
	}
	return all
}

// attempt is a student that the gate accepted, and the report of it.
type attempt struct {
	student *network.Held
	report  report.Stage
}

// retry makes the stage in other ways until one is settled. made is the student that was not; start is the one that the stage began
// with. Where tasks collapse in each try it gives the accepted student that lost least, and where none is accepted nil.
func (s *one) retry(ctx context.Context, c *chain.Chain, start, made *network.Held) (*network.Held, error) {
	var best *attempt
	for _, a := range triesOf(s, start) {
		why := "was not accepted"
		if s.report.Accepted {
			why = "was accepted, but a task collapsed (" + strings.Join(s.report.Gate.Collapsed, ", ") + ")"
			best = better(best, &attempt{made, s.report})
		}
		s.Events.Note("stage %s %s; it tries again: %s", s.name, why, a.what)
		s.at, s.what, s.cfg = s.name+"/"+a.at, a.what, &a.cfg
		var student *network.Held
		var err error
		if a.goesOn > 0 {
			in := distilInputOf(s, made, a.goesOn, finalOfStage, random.Stream(s.Config.Seed, "distil on", s.index)) // with a new course of the rate
			student, err = s.train(ctx, c, chain.Place{At: s.at + "/distil", Phase: event.Phase{Stage: s.name, Name: "distil", Detail: a.what}}, in)
		} else {
			s.report.Cuts, s.report.SliceMaskMaxDiff = nil, 0
			student, err = s.cutAll(ctx, c, start, nil)
		}
		made.Free()
		if err != nil {
			return nil, err
		}
		made = student
		if err := s.judge(ctx, c, made); err != nil {
			made.Free()
			return nil, err
		}
		if settled(s.report) {
			return made, nil
		}
	}
	if s.report.Accepted {
		best = better(best, &attempt{made, s.report})
	}
	made.Free()
	if best == nil {
		return nil, nil
	}
	s.report = best.after(s.report)
	return best.student, nil
}

// after is the attempt's report with all tries that were made by the last one, and the time they took.
func (a *attempt) after(last report.Stage) report.Stage {
	out := a.report
	out.Tried, out.Attempts, out.Seconds = last.Tried, last.Attempts, last.Seconds
	return out
}

// better is the attempt that lost less; a is nil where there was none before.
func better(a, b *attempt) *attempt {
	if a == nil || b.report.Gate.Drop < a.report.Gate.Drop {
		return b
	}
	return a
}
