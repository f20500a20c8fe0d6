package stage

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"

	"espalier/pipeline/chain"
	"espalier/pipeline/config"
	"espalier/pipeline/corpus"
	"espalier/pipeline/data"
	"espalier/pipeline/event"
	"espalier/pipeline/measure"
	"espalier/pipeline/network"
	"espalier/pipeline/random"
	"espalier/pipeline/report"
	"espalier/pruning"
)

// CandidatePictures is the most validation pictures that candidates answer.
const CandidatePictures = 500

// candidate is a way to score that is tried: the cut that it makes, down to the stage's end, and how it recovers.
type candidate struct {
	report  report.Candidate
	by      config.Candidate
	plan    pruning.Plan
	student *network.Held // after the steps so far; nil: it cuts as one before it
}

// runTournament tries the stage's ways to score, each for a short while, and takes the one whose student then answers best. What
// just the cut leaves says little of that. begun is the chosen student after its short training, where the stage makes its
// cut in one; the steps that were taken are gone from the stage's.
func runTournament(ctx context.Context, c *chain.Chain, s *one, student *network.Held) (begun *network.Held, err error) {
	tried, steps := s.cfg.Tried()
	if len(tried) == 1 || len(s.cfg.Scored()) == 0 {
		return nil, nil
	}
	t := &tournament{one: s, chain: c, pictures: someOf(s.Splits.Validation, s.Config.Seed)}
	defer func() { t.free(begun) }()
	for _, by := range tried {
		if err := t.enter(ctx, by, student); err != nil {
			return nil, err
		}
	}
	alive := t.different()
	if len(alive) == 1 {
		s.Events.Note("stage %s: all %d ways to score cut the same units: none is tried", s.name, len(tried))
		return nil, nil
	}
	rounds := Rounds(len(alive))
	spare, used := steps*len(alive), 0
	if s.cfg.CandidateSteps == 0 { // what cuts alike leaves its steps to the others
		spare = steps * len(tried)
	}
	for round := range rounds {
		each := spare / rounds / len(alive)
		for _, k := range alive {
			if err := t.train(ctx, k, round, each); err != nil {
				return nil, err
			}
		}
		used += each * len(alive)
		sort.SliceStable(alive, func(i, j int) bool { return *alive[i].report.AccuracyShort > *alive[j].report.AccuracyShort })
		alive = alive[:(len(alive)+1)/2]
	}
	best := alive[0]
	best.report.Chosen = true
	for _, k := range t.all {
		s.report.Candidates = append(s.report.Candidates, k.report)
	}
	s.report.KendallTau = report.KendallTau(s.report.Candidates)
	s.Events.Emit(event.Chosen{Stage: s.name, Candidates: s.report.Candidates})
	s.cfg.Criterion, s.cfg.Loss = best.by.Criterion, best.by.Loss
	s.cfg.Distil.Steps -= used
	if s.cfg.Cuts == 1 {
		begun = best.student
	}
	return begun, nil
}

// someOf are the pictures of a split that candidates answer: a random part, since rows may be sorted.
func someOf(c *corpus.Corpus, seed int) []int {
	n := c.Split.Len()
	pictures := data.Order(n, random.Stream(seed, "candidates"), 0)[:min(n, CandidatePictures)]
	slices.Sort(pictures)
	return pictures
}

// tournament is the candidates of a stage.
type tournament struct {
	*one
	chain    *chain.Chain
	pictures []int
	all      []*candidate
}

// at names a step of a candidate.
func (t *tournament) at(step, name string) chain.Place {
	return chain.Place{At: fmt.Sprintf("%s/%s of %s", t.name, step, name), Phase: event.Phase{Stage: t.name, Name: step, Detail: "candidate " + name}}
}

// enter scores, cuts to the stage's end, and measures. A cut that another candidate makes too is not made again.
func (t *tournament) enter(ctx context.Context, by config.Candidate, student *network.Held) error {
	k := &candidate{by: by, report: report.Candidate{Name: by.String()}}
	t.all = append(t.all, k)
	if err := readAs(t.one, student.Declared(), false); err != nil {
		return err
	}
	scored, err := t.score(ctx, t.chain, t.at("score", k.report.Name), by, 1, student)
	if err != nil {
		return err
	}
	t.one.report.Seconds.Importance += scored.Seconds
	if k.plan, err = t.plan(student.Declared(), scored.Value, t.cfg.Cuts); err != nil {
		return err
	}
	for _, other := range t.all[:len(t.all)-1] {
		if maps.EqualFunc(other.plan.Keep, k.plan.Keep, slices.Equal[[]int]) {
			k.report.SameAs = other.report.Name
			return nil
		}
	}
	made, after, err := t.slice(ctx, t.chain, t.at("cut", k.report.Name), student, k.plan)
	if err != nil {
		return err
	}
	t.one.report.Seconds.Prune += made.Seconds
	k.student = after
	k.report.AccuracyCut, err = t.accuracy(ctx, k.report.Name, k.student, "just cut")
	return err
}

// train takes some steps, and measures.
func (t *tournament) train(ctx context.Context, k *candidate, round, steps int) error {
	if steps == 0 { // of a stage that does not distil
		k.report.AccuracyShort = k.report.AccuracyCut
		return nil
	}
	if err := readAs(t.one, k.student.Declared(), false); err != nil { // another candidate came between
		return err
	}
	in := distilInputOf(t.one, k.student, steps, finalBetweenCuts, random.Stream(t.Config.Seed, "candidates", t.index, round))
	next, err := t.one.train(ctx, t.chain, t.at(fmt.Sprintf("distil round %d", round+1), k.report.Name), in)
	if err != nil {
		return err
	}
	k.student.Free()
	k.student = next
	k.report.Steps += steps
	k.report.AccuracyShort, err = t.accuracy(ctx, k.report.Name, k.student, fmt.Sprintf("after %d steps", k.report.Steps))
	return err
}

// accuracy is measured on a part of the validation split.
func (t *tournament) accuracy(ctx context.Context, name string, student *network.Held, when string) (*float64, error) {
	subject := measure.Subject{Network: student, Stage: t.name, At: fmt.Sprintf("%s/candidate %s %s", t.name, name, when)}
	marks, err := measure.MarksOfSome(ctx, t.chain, subject, t.Splits.Validation, t.pictures, t.Config.Eval, "candidate "+name+" "+when)
	student.Free()
	if err != nil {
		return nil, err
	}
	t.one.report.Seconds.Evaluate += marks.Seconds
	all, _ := marks.Value.Accuracy(t.Splits.Validation.Split)
	overall := all[report.Overall]
	return &overall, nil
}

// different are the candidates whose cuts differ.
func (t *tournament) different() []*candidate {
	return slices.DeleteFunc(slices.Clone(t.all), func(k *candidate) bool { return k.report.SameAs != "" })
}

func (t *tournament) free(but *network.Held) {
	for _, k := range t.all {
		if k.student != nil && k.student != but {
			k.student.Free()
		}
	}
}

// Rounds is in how many rounds so many candidates are tried, by successive halving: each round has the same number of steps in all, and its
// worse half goes.
func Rounds(candidates int) int {
	rounds := 1
	for 1<<(rounds+1) <= candidates {
		rounds++
	}
	return rounds
}
