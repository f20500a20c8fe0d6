package stage

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"espalier/distillation"
	"espalier/model"
	"espalier/pipeline/chain"
	"espalier/pipeline/config"
	"espalier/pipeline/corpus"
	"espalier/pipeline/data"
	"espalier/pipeline/event"
	"espalier/pipeline/network"
	"espalier/pipeline/random"
	"espalier/pipeline/teacher"
	"espalier/torch"
	"espalier/torch/optim"
)

// The learning rate falls to these shares: not far between cuts, since the next cut needs room to move.
const (
	finalBetweenCuts = .3
	finalOfStage     = .02
)

// distilInput is all that the student depends on after a cut.
type distilInput struct {
	Network   *network.Held    // as it was cut
	Outputs   *teacher.Outputs // nil where Heard is not
	Heard     *network.Held    // the teacher, where students learn what it says to changed pictures; else nil
	Vary      data.Vary        // how far the pictures are changed
	Train     *corpus.Corpus
	Distil    config.DistilConfig // its steps are those after this cut
	Final     float64             // share of the rate at the end
	Recompute bool
	Order     uint64 // seed of the pictures' order
	What      string // the stage, for errors

	Teacher *network.Held    // of the loss of hidden states, else nil
	Units   map[string][]int // likewise: of the teacher's widths and query tokens what the student has
}

// Recovered is what is told of a distillation.
type Recovered struct {
	Skipped int     // steps whose loss or gradients were no numbers
	Rate    float64 // of the configuration's: 1, or 0.5 after a start that diverged
	Course  distillation.Course
}

var distilStep = chain.Step[distilInput, Recovered]{Name: "distil", Compute: distil}

// distil trains the student after a cut.
func (s *one) distil(ctx context.Context, c *chain.Chain, cut int, after *network.Held) (*network.Held, error) {
	final := finalBetweenCuts
	if cut == s.cfg.Cuts {
		final = finalOfStage
	}
	return s.train(ctx, c, s.place("distil", cut), distilInputOf(s, after, s.cfg.StepsOf(cut), final, random.Stream(s.Config.Seed, "distil", s.index, cut)))
}

// distilInputOf is that of the stage's distillation.
func distilInputOf(s *one, student *network.Held, steps int, final float64, order uint64) distilInput {
	in := distilInput{Network: student, Outputs: s.Outputs, Vary: corpus.Vary(s.Config.Data.Vary), Train: s.Train, Distil: s.cfg.Distil, Final: final, Recompute: s.Config.Recompute,
		Order: order, What: "stage " + s.name}
	in.Distil.Steps = steps
	if hearsVaried(s.Config) {
		in.Outputs, in.Heard = nil, s.Teacher.Held
	}
	if in.Distil.Hidden > 0 {
		in.Teacher, in.Units = s.Teacher.Held, student.Units()
	}
	return in
}

// train trains a student, which it takes over.
func (s *one) train(ctx context.Context, c *chain.Chain, place chain.Place, in distilInput) (*network.Held, error) {
	kept, err := chain.Do(ctx, c, place, distilStep, in)
	if err != nil {
		return nil, err
	}
	s.report.Seconds.Distil += kept.Seconds
	if kept.Reused {
		s.Events.Emit(event.Curve{Phase: atRate(place.Phase, kept.Value.Rate), Kept: true, Points: kept.Value.Course.Points})
	}
	n, _ := kept.Live.(model.Network) // nil where the result was found
	return network.New(kept.Print(), in.Network.Declared(), n, func() (model.Network, error) {
		n, err := model.Load(kept.Folder, s.Train.On)
		if err != nil {
			return nil, fmt.Errorf("stage %s: %w", s.name, err)
		}
		return n, nil
	}).After(in.Network, nil), nil
}

// atRate is the phase of a distillation at a share of the rate.
func atRate(p event.Phase, rate float64) event.Phase {
	if rate < 1 {
		p.Detail = strings.TrimPrefix(p.Detail+", half the rate", ", ")
	}
	return p
}

func distil(ctx context.Context, w *chain.Work, in distilInput) (r Recovered, err error) {
	for r.Rate = 1; ; r.Rate /= 2 {
		n, err := in.Network.Take()
		if err != nil {
			return r, err
		}
		var told distillation.Trained
		if in.Distil.Steps > 0 {
			told, err = train(ctx, w, in, n, r.Rate)
		}
		r.Skipped, r.Course = told.Skipped, told.Course
		var lost *distillation.Diverged
		switch {
		case errors.As(err, &lost) && lost.InARow && r.Rate == 1:
			w.Events.Note("%v; the distillation starts again with half the rate", err)
			w.Events.Emit(atRate(w.Phase, r.Rate/2))
			n.Store().Free()
			continue
		case err != nil:
			n.Store().Free()
			if short := (*torch.OutOfMemory)(nil); errors.As(err, &short) {
				err = fmt.Errorf("%w; recompute = true, distil.freeze or a smaller data.row_tokens needs less", err)
			}
			return r, fmt.Errorf("%s: %w", in.What, err)
		}
		if err := model.CheckFinite(n); err != nil {
			n.Store().Free()
			return r, fmt.Errorf("%s: %w", in.What, err)
		}
		w.Hold(n, n.Store().Free)
		w.Files(func(folder string) error { return in.Train.Save(n, folder) })
		return r, nil
	}
}

// train takes the steps, at a share of the rate.
func train(ctx context.Context, w *chain.Work, in distilInput, student model.Network, rate float64) (told distillation.Trained, err error) {
	d := in.Distil
	if err := student.Store().Own(torch.Float32, d.Freeze...); err != nil { // the teacher must not learn with it, nor steps be lost in halves
		return told, err
	}
	torch.TrimMemory() // the halves that were there, too small a place for what comes in float32
	says, end, err := hear(in)
	if err != nil {
		return told, err
	}
	defer end()
	hidden, err := hiddenLoss(in, student)
	if err != nil {
		return told, err
	}
	defer hidden.free()
	feed := in.Train.Feed(ctx, d.Batch, in.Order, d.KL == 0 && d.Hidden == 0)
	feed.Vary = in.Vary
	defer feed.Close()
	o := distillation.Options{Steps: d.Steps, Accumulate: d.Accumulate, LR: rate * d.LR, Schedule: optim.WarmupCosine(d.Steps, d.Warmup, in.Final),
		WeightDecay: d.WeightDecay, Clip: d.Clip, Average: d.Average, Precision: corpus.Precision(d.Precision), Recompute: in.Recompute, Device: in.Train.On, Threads: w.Environment.WorkerThreads(), Pieces: w.Pieces(fmt.Sprintf("distillation at %g of the rate", rate), d.Batch),
		Keep: distillation.Keep{Folder: filepath.Join(w.State(), fmt.Sprintf("rate-%g", rate)), Every: w.KeepEvery}, Note: func(text string) { w.Events.Note("%s", text) },
		Progress: w.Events.Steps(d.Steps), Points: w.Events.Points}
	worker := func(n model.Network, hidden *hiddenStates) distillation.Worker {
		return distillation.Worker{Params: append(n.Store().Tensors(d.Freeze...), hidden.params()...), Loss: lossAt(in, n, says, hidden, feed)}
	}
	computed := []model.Network{student}
	for len(computed) < w.Environment.Workers {
		n, err := model.Share(student)
		if err != nil {
			return told, err
		}
		defer n.Store().Free()
		h := hidden.share()
		defer h.free()
		computed = append(computed, n)
		o.Beside = append(o.Beside, worker(n, h))
	}
	if o.Precision == torch.BFloat16 { // its autocast takes no other dtypes than bfloat16 and float32, but frozen weights have their file's
		for _, n := range computed {
			defer n.Store().ComputeIn(torch.Float32, torch.Float16, torch.Float64)()
		}
	}
	own := worker(student, hidden)
	return distillation.Train(ctx, own.Params, o, own.Loss)
}

// lossAt is the loss of a piece of a batch.
func lossAt(in distilInput, student model.Network, says heard, hidden *hiddenStates, feed *corpus.Feed) distillation.LossAt {
	return func(at distillation.At, cast func(func())) (*torch.Tensor, error) {
		b, whole, err := feed.Piece(at.Step*max(1, in.Distil.Accumulate)+at.Part, at.Piece, at.Pieces)
		if err != nil || b == nil {
			return nil, err
		}
		packed, err := in.Train.Batch(b.Index, b.Pixels)
		if err != nil {
			return nil, err
		}
		var states model.States
		var logits *torch.Tensor
		cast(func() {
			states = student.States(packed)
			logits = student.Head(states.Hidden)
		})
		var rows distillation.Rows
		rows.All, rows.Labelled = in.Train.Asked.Rows(whole.Index...)
		var said *distillation.Teacher // KL alone asks for it
		if in.Distil.KL != 0 {
			said = says(b.Index, packed)
		}
		loss := LossOf(in.Distil).OfPiece(logits, said, packed.Targets, in.Train.Asked.Labelled(b.Index, in.Train.On), rows)
		return hidden.add(loss, states, packed, whole), nil
	}
}

// LossOf is the loss of a distillation, but for the hidden states'.
func LossOf(d config.DistilConfig) distillation.Loss {
	return distillation.Loss{KL: d.KL, Form: d.KLForm, Temperature: d.Temperature, Correct: d.Correct, Pair: d.Pair, PairForm: d.PairForm, Margin: d.Margin, CE: d.CE}
}

// OutputForm is what the stages of a run ask of the teacher's outputs.
func OutputForm(cfg *config.Config) (form distillation.OutputForm) {
	if form.TopK = cfg.Teacher.TopK; form.TopK == 0 {
		return form
	}
	for _, s := range cfg.Stages {
		tried, _ := s.Tried()
		if s.Distil.Steps > 0 || slices.ContainsFunc(tried, func(c config.Candidate) bool { return c.Loss == "distillation" }) {
			form.Temperatures = append(form.Temperatures, s.Distil.Temperature)
		}
	}
	slices.Sort(form.Temperatures)
	form.Temperatures = slices.Compact(form.Temperatures)
	return form
}
