package stage

import (
	"context"
	"fmt"

	"espalier/distillation"
	"espalier/model"
	"espalier/pipeline/chain"
	"espalier/pipeline/config"
	"espalier/pipeline/corpus"
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
	Network   *network.Held // as it was cut
	Outputs   *teacher.Outputs
	Train     *corpus.Corpus
	Distil    config.DistilConfig // its steps are those after this cut
	Final     float64             // share of the rate at the end
	Recompute bool
	Order     uint64 // seed of the pictures' order
}

// recovered is what is told of a distillation.
type recovered struct{}

var distilStep = chain.Step[distilInput, recovered]{Name: "distil", Compute: distil}

// distil trains the student after a cut on the teacher's kept outputs. Its folder is a checkpoint that stands alone.
func (s *one) distil(ctx context.Context, c *chain.Chain, cut int, after *network.Held) (*network.Held, error) {
	in := distilInput{Network: after, Outputs: s.Outputs, Train: s.Train, Distil: s.cfg.Distil, Final: finalBetweenCuts, Recompute: s.Config.Recompute,
		Order: random.Stream(s.Config.Seed, "distil", s.index, cut)}
	in.Distil.Steps = s.cfg.StepsOf(cut)
	if cut == s.cfg.Cuts {
		in.Final = finalOfStage
	}
	kept, err := chain.Do(ctx, c, s.place("distil", cut), distilStep, in)
	if err != nil {
		return nil, err
	}
	s.report.Seconds.Distil += kept.Seconds
	var n model.Network
	if kept.Live != nil {
		n = kept.Live.(model.Network)
	}
	return network.New(kept.Print(), after.Declared(), n, func() (model.Network, error) {
		n, err := model.Load(kept.Folder, s.Train.On)
		if err != nil {
			return nil, fmt.Errorf("stage %s: %w", s.name, err)
		}
		return n, nil
	}), nil
}

func distil(ctx context.Context, w *chain.Work, in distilInput) (r recovered, err error) {
	n, err := in.Network.Take()
	if err != nil {
		return r, err
	}
	w.Hold(n, n.Store().Free)
	w.Files(func(folder string) error { return in.Train.Save(n, folder) })
	if in.Distil.Steps == 0 {
		return r, nil
	}
	return r, train(ctx, w, in, n)
}

func train(ctx context.Context, w *chain.Work, in distilInput, student model.Network) error {
	d := in.Distil
	if err := student.Store().Own(torch.Float32, d.Freeze...); err != nil { // the teacher must not learn with it, nor steps be lost in halves
		return err
	}
	torch.TrimMemory() // the halves that were there, too small a place for what comes in float32
	outputs, err := in.Outputs.Open()
	if err != nil {
		return err
	}
	defer outputs.Close()
	l := in.Train.Shuffled(ctx, d.Batch, in.Order)
	defer l.Close()
	var mean event.Mean
	o := distillation.Options{Steps: d.Steps, Accumulate: d.Accumulate, LR: d.LR, Schedule: optim.WarmupCosine(d.Steps, d.Warmup, in.Final),
		WeightDecay: d.WeightDecay, Clip: d.Clip, Precision: corpus.Precision(d.Precision), Recompute: in.Recompute, Device: in.Train.On,
		Progress: func(step int, loss float64) {
			w.Events.Emit(event.Progress{Done: step, Total: d.Steps, Unit: "steps", Loss: mean.Add(loss)})
		}}
	if o.Precision == torch.BFloat16 { // its autocast takes no other dtypes than bfloat16 and float32, but frozen weights have their file's
		defer student.Store().ComputeIn(torch.Float32, torch.Float16, torch.Float64)()
	}
	return distillation.Train(ctx, student.Store().Tensors(d.Freeze...), o, func(_, _ int, cast func(func())) (*torch.Tensor, error) {
		b, err := in.Train.Next(l, d.KL == 0)
		if err != nil {
			return nil, err
		}
		packed, err := in.Train.Batch(b.Index, b.Pixels)
		if err != nil {
			return nil, err
		}
		var logits *torch.Tensor
		cast(func() { logits = student.Logits(packed) })
		return lossOf(d).Of(logits, outputs.Logits(b.Index, in.Train.On), packed.Targets, in.Train.Labelled(b.Index)), nil
	})
}

func lossOf(d config.DistilConfig) distillation.Loss {
	return distillation.Loss{KL: d.KL, Temperature: d.Temperature, Pair: d.Pair, PairForm: d.PairForm, Margin: d.Margin, CE: d.CE}
}
