package measure

import (
	"context"
	"time"

	"espalier/pipeline/chain"
	"espalier/pipeline/config"
	"espalier/pipeline/corpus"
	"espalier/pipeline/energy"
	"espalier/pipeline/event"
	"espalier/pipeline/network"
	"espalier/pipeline/report"
)

// Answering is a network and the questions that it answers, in its own ids.
type Answering struct {
	Network   *network.Held
	Questions *corpus.Corpus
}

// energyInput is all that joules depend on, but for the machine's mood and what counters it shows.
type energyInput struct {
	Teacher, Student Answering
	Trials           int
	Window           time.Duration
	Batch            int
	MaxTokens        int
}

// Energy measures teacher and student in turn on a machine, and models the year.
func Energy(ctx context.Context, c *chain.Chain, m energy.Machine, teacher, student Answering, cfg *config.Config) (*report.Energy, error) {
	batch := min(cfg.Energy.Batch, teacher.Questions.Split.Parts().Pictures())
	step := chain.Step[energyInput, energy.Taken]{Name: "energy", Own: true, Compute: func(ctx context.Context, w *chain.Work, in energyInput) (energy.Taken, error) {
		return takeEnergy(ctx, w, m, in)
	}}
	taken, err := chain.Do(ctx, c, chain.Place{At: "energy", Phase: event.Phase{Name: "measure", Detail: "energy"}}, step,
		energyInput{Teacher: teacher, Student: student, Trials: cfg.Energy.Trials, Window: cfg.Energy.Window, Batch: batch, MaxTokens: cfg.Eval.MaxAnswerTokens})
	if err != nil {
		return nil, err
	}
	return energy.Of(taken.Value, cfg.Energy, cfg.Seed), nil
}

func takeEnergy(ctx context.Context, w *chain.Work, m energy.Machine, in energyInput) (t energy.Taken, err error) {
	err = w.Pieces("answers at once", in.Batch).Do(0, func(pieces int) error {
		batch := max(1, in.Batch/pieces)
		var networks []energy.Network
		for _, a := range []struct {
			name string
			Answering
		}{{"teacher", in.Teacher}, {"student", in.Student}} {
			n, err := a.Network.Get()
			if err != nil {
				return err
			}
			all, err := newTogether(n, a.Questions, in.MaxTokens, batch)
			if err != nil {
				return err
			}
			networks = append(networks, energy.Network{Name: a.name, Answer: func(context.Context) (int, error) { return all.asked, all.answer() }})
		}
		var err error
		t, err = energy.Measure(ctx, m, energy.Plan{Trials: in.Trials, Window: in.Window, Batch: batch, Threads: w.Environment.Threads}, networks)
		return err
	})
	return t, err
}
