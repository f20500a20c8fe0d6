package pipeline

import (
	"context"

	"espalier/distillation"
	"espalier/model"
	"espalier/pipeline/config"
	"espalier/torch"
	"espalier/torch/optim"
)

// The learning rate falls to these shares: not far between cuts, since the next cut needs room to move.
const (
	finalBetweenCuts = .3
	finalOfStage     = .02
)

// distil trains the student after a cut on the teacher's kept outputs.
func (r *run) distil(ctx context.Context, index, cut int, student model.Network) error {
	s := r.cfg.Stages[index]
	d := s.Distil
	steps, final := s.StepsOf(cut), finalBetweenCuts
	if cut == s.Cuts {
		final = finalOfStage
	}
	if steps == 0 {
		return nil
	}
	if err := student.Store().Own(torch.Float32, d.Freeze...); err != nil { // the teacher must not learn with it, nor steps be lost in halves
		return err
	}
	torch.TrimMemory() // the halves that were there, too small a place for what comes in float32
	l := r.train.shuffled(ctx, d.Batch, stream(r.cfg.Seed, "distil", index, cut))
	defer l.Close()
	var mean smoothed
	o := distillation.Options{Steps: steps, Accumulate: d.Accumulate, LR: d.LR, Schedule: optim.WarmupCosine(steps, d.Warmup, final),
		WeightDecay: d.WeightDecay, Clip: d.Clip, Precision: precision(d.Precision), Recompute: r.cfg.Recompute, Device: r.device,
		Progress: func(step int, loss float64) {
			r.events.Emit(Progress{Done: step, Total: steps, Unit: "steps", Loss: mean.add(loss)})
		}}
	if o.Precision == torch.BFloat16 { // its autocast takes no other dtypes than bfloat16 and float32, but frozen weights have their file's
		defer student.Store().ComputeIn(torch.Float32, torch.Float16, torch.Float64)()
	}
	return distillation.Train(ctx, student.Store().Tensors(d.Freeze...), o, func(_, _ int, cast func(func())) (*torch.Tensor, error) {
		b, err := r.train.next(l, d.KL == 0)
		if err != nil {
			return nil, err
		}
		packed, err := r.train.batch(b.Index, b.Pixels)
		if err != nil {
			return nil, err
		}
		var logits *torch.Tensor
		cast(func() { logits = student.Logits(packed) })
		return lossOf(d).Of(logits, r.outputs.Logits(b.Index, r.device), packed.Targets, r.train.labelled(b.Index)), nil
	})
}

func lossOf(d config.DistilConfig) distillation.Loss {
	return distillation.Loss{KL: d.KL, Temperature: d.Temperature, Pair: d.Pair, PairForm: d.PairForm, Margin: d.Margin, CE: d.CE}
}
