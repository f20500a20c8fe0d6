package stage

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

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
}

// recovered is what is told of a distillation.
type recovered struct {
	Skipped int     // steps whose loss or gradients were no numbers
	Pieces  int     // that a batch was computed in; 1 where there was memory enough
	Rate    float64 // of the configuration's: 1, or 0.5 after a start that diverged
}

var distilStep = chain.Step[distilInput, recovered]{Name: "distil", Compute: distil}

// distil trains the student after a cut on what the teacher says. Its folder is a checkpoint that stands alone.
func (s *one) distil(ctx context.Context, c *chain.Chain, cut int, after *network.Held) (*network.Held, error) {
	in := distilInput{Network: after, Outputs: s.Outputs, Vary: corpus.Vary(s.Config.Data.Vary), Train: s.Train, Distil: s.cfg.Distil,
		Final: finalBetweenCuts, Recompute: s.Config.Recompute, Order: random.Stream(s.Config.Seed, "distil", s.index, cut), What: "stage " + s.name}
	if hearsVaried(s.Config) {
		in.Outputs, in.Heard = nil, s.Teacher.Held
	}
	in.Distil.Steps = s.cfg.StepsOf(cut)
	if cut == s.cfg.Cuts {
		in.Final = finalOfStage
	}
	kept, err := chain.Do(ctx, c, s.place("distil", cut), distilStep, in)
	if err != nil {
		return nil, err
	}
	s.report.Seconds.Distil += kept.Seconds
	n, _ := kept.Live.(model.Network) // nil where the result was found
	return network.New(kept.Print(), after.Declared(), n, func() (model.Network, error) {
		n, err := model.Load(kept.Folder, s.Train.On)
		if err != nil {
			return nil, fmt.Errorf("stage %s: %w", s.name, err)
		}
		return n, nil
	}), nil
}

func distil(ctx context.Context, w *chain.Work, in distilInput) (r recovered, err error) {
	for r.Rate = 1; ; r.Rate /= 2 {
		n, err := in.Network.Take()
		if err != nil {
			return r, err
		}
		var told distillation.Trained
		if in.Distil.Steps > 0 {
			told, err = train(ctx, w, in, n, r.Rate)
		}
		r.Skipped, r.Pieces = told.Skipped, told.Pieces
		var lost *distillation.Diverged
		switch {
		case errors.As(err, &lost) && lost.InARow && r.Rate == 1:
			w.Events.Note("%v; the distillation starts again with half the rate", err)
			n.Store().Free()
			continue
		case err != nil:
			n.Store().Free()
			if short := (*distillation.OutOfMemory)(nil); errors.As(err, &short) {
				err = fmt.Errorf("%w; recompute = true, distil.freeze or a smaller data.row_tokens needs less", err)
			}
			return r, fmt.Errorf("%s: %w", in.What, err)
		}
		if err := model.CheckFinite(n); err != nil {
			n.Store().Free()
			return r, fmt.Errorf("%s: %w", in.What, err)
		}
		if r.Pieces > 1 {
			w.Alone()
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
	feed := in.Train.Feed(ctx, d.Batch, in.Order, d.KL == 0)
	feed.Vary = in.Vary
	defer feed.Close()
	var mean event.Mean
	o := distillation.Options{Steps: d.Steps, Accumulate: d.Accumulate, LR: rate * d.LR, Schedule: optim.WarmupCosine(d.Steps, d.Warmup, in.Final),
		WeightDecay: d.WeightDecay, Clip: d.Clip, Precision: corpus.Precision(d.Precision), Recompute: in.Recompute, Device: in.Train.On, Pieces: d.Batch,
		Keep: distillation.Keep{Folder: filepath.Join(w.State(), fmt.Sprintf("rate-%g", rate)), Every: w.KeepEvery}, Note: func(text string) { w.Events.Note("%s", text) },
		Progress: func(step int, loss float64) {
			w.Events.Emit(event.Progress{Done: step, Total: d.Steps, Unit: "steps", Loss: mean.Add(loss)})
		}}
	if o.Precision == torch.BFloat16 { // its autocast takes no other dtypes than bfloat16 and float32, but frozen weights have their file's
		defer student.Store().ComputeIn(torch.Float32, torch.Float16, torch.Float64)()
	}
	return distillation.Train(ctx, student.Store().Tensors(d.Freeze...), o, lossAt(in, student, says, feed))
}

// lossAt is the loss of a piece of a batch.
func lossAt(in distilInput, student model.Network, says heard, feed *corpus.Feed) distillation.LossAt {
	return func(at distillation.At, cast func(func())) (*torch.Tensor, error) {
		b, whole, err := feed.Piece(at.Step*max(1, in.Distil.Accumulate)+at.Part, at.Piece, at.Pieces)
		if err != nil || b == nil {
			return nil, err
		}
		packed, err := in.Train.Batch(b.Index, b.Pixels)
		if err != nil {
			return nil, err
		}
		var logits *torch.Tensor
		cast(func() { logits = student.Logits(packed) })
		var rows distillation.Rows
		rows.All, rows.Labelled = in.Train.Rows(whole.Index...)
		return lossOf(in.Distil).OfPiece(logits, says(b.Index, packed), packed.Targets, in.Train.Labelled(b.Index), rows), nil
	}
}

func lossOf(d config.DistilConfig) distillation.Loss {
	return distillation.Loss{KL: d.KL, Temperature: d.Temperature, Pair: d.Pair, PairForm: d.PairForm, Margin: d.Margin, CE: d.CE}
}
