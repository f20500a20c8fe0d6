// Package truth holds importance against what it stands for: how far the loss really rises when a unit is taken away, and which subset of
// an axis is the best one after training.
package truth

import (
	"context"
	"fmt"
	"math"

	"espalier/model"
	"espalier/pipeline"
	"espalier/pipeline/data"
	"espalier/pipeline/event"
	"espalier/pipeline/fault"
	"espalier/pipeline/random"
	"espalier/torch"
)

// Options say how much is measured.
type Options struct {
	Units     int // of each axis at most, drawn by the seed of the configuration
	Pictures  int // of the validation split, with all their questions
	Resamples int // for the intervals
	Subsets   []Subsets
}

// Report is what was found. It is the same to the bit for a seed, a number of threads and a machine.
type Report struct {
	Seed       int         `json:"seed"`
	Threads    int         `json:"threads"`
	Parameters int         `json:"parameters"`
	Pictures   int         `json:"pictures"`
	Questions  int         `json:"questions"`
	Scored     int         `json:"scored_pictures"` // training pictures behind the scores
	Whole      Quality     `json:"whole"`           // of the network that nothing is taken from
	Units      []Unit      `json:"units"`
	Agreements []Agreement `json:"agreements"`
	Oracles    []Oracle    `json:"oracles,omitempty"`
}

// Quality is how well a network answers: means over answer tokens, and the share of questions whose whole answer it gives.
type Quality struct {
	CrossEntropy float64 `json:"cross_entropy"`
	Margin       float64 `json:"margin"`
	Accuracy     float64 `json:"accuracy"`
}

// Unit is one that was taken away alone.
type Unit struct {
	Axis   string             `json:"axis"`
	Kind   string             `json:"kind"`
	Tower  string             `json:"tower"`
	Unit   int                `json:"unit"`
	Change Quality            `json:"change"` // what the network without it has more
	Scores map[string]float64 `json:"scores"` // by criterion/loss
}

// batchPictures is how many pictures go through the network together.
const batchPictures = 32

// Measure takes units away one by one, and holds the change of the loss against their scores; then it tries the subsets. The caller has
// locked its thread.
func Measure(ctx context.Context, a *pipeline.Apart, o Options, events event.Events) (*Report, error) {
	teacher, err := a.Teacher.Get()
	if err != nil {
		return nil, err
	}
	for _, s := range o.Subsets {
		if err := s.check(teacher, a.Config.Stages); err != nil {
			return nil, err
		}
	}
	seed, split := a.Config.Seed, a.Validation
	pictures := data.Order(split.Split.Len(), random.Stream(seed, "truth", "pictures"), 0)
	pictures = pictures[:min(o.Pictures, len(pictures))]
	r := &Report{Seed: seed, Threads: a.Config.Threads, Parameters: teacher.Store().Count(), Pictures: len(pictures)}
	for _, p := range pictures {
		r.Questions += len(split.Asked.Questions[p])
	}
	if !split.Asked.Answered(pictures...) {
		return nil, fault.Inputf("importance: none of the %d validation pictures has an answer, so there is no loss: ask about more of them, or give answers", len(pictures))
	}
	scores, err := scoresOf(ctx, a, teacher, events)
	if err != nil {
		return nil, err
	}
	r.Scored = scores.pictures
	if err := r.fill(ctx, a, teacher, pictures, o, scores, events); err != nil {
		return nil, err
	}
	for _, s := range o.Subsets {
		oracle, err := s.try(ctx, a, teacher, pictures, scores, events)
		if err != nil {
			return nil, err
		}
		r.Oracles = append(r.Oracles, *oracle)
	}
	return r, nil
}

// fill takes the units away, and compares.
func (r *Report) fill(ctx context.Context, a *pipeline.Apart, teacher model.Network, pictures []int, o Options, scores *scored, events event.Events) error {
	return torch.Run(func(*torch.Scope) error {
		asked, err := ask(a.Validation, pictures, torch.Float64)
		if err != nil {
			return err
		}
		picked := pick(teacher, o.Units, r.Seed)
		whole, without, err := takeAway(ctx, teacher, picked, asked, events)
		if err != nil {
			return err
		}
		for i, p := range picked {
			change := mean(without[i], nil).minus(mean(whole, nil))
			if math.IsNaN(change.CrossEntropy) || math.IsInf(change.CrossEntropy, 0) {
				return fmt.Errorf("truth: without unit %d of %s the loss is %v", p.unit, p.axis.Name, change.CrossEntropy)
			}
			r.Units = append(r.Units, Unit{Axis: p.axis.Name, Kind: string(p.axis.Kind), Tower: p.axis.Tower, Unit: p.unit,
				Change: change, Scores: scores.of(p.axis.Name, p.unit)})
		}
		r.Whole = mean(whole, nil)
		r.Agreements = agreements(r.Units, whole, without, o.Resamples, random.Stream(r.Seed, "truth", "resamples"))
		return nil
	})
}
