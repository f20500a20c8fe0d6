package truth

import (
	"context"
	"math"
	"slices"

	"espalier/distillation"
	"espalier/model"
	"espalier/pipeline"
	"espalier/pipeline/config"
	"espalier/pipeline/corpus"
	"espalier/pipeline/event"
	"espalier/pipeline/random"
	"espalier/pipeline/stage"
	"espalier/torch"
	"espalier/torch/nn"
	"espalier/torch/optim"
)

// train distils a cut network for the given steps as the stage does that cuts such an axis, but for the loss of hidden states: it asks the
// teacher anew for each batch.
func train(ctx context.Context, a *pipeline.Apart, teacher, student model.Network, s Subsets, events event.Events) error {
	d := stageOf(a.Config.Stages, teacher.Store().Axis(s.Axis).Kind).Distil
	if err := student.Store().Own(torch.Float32, d.Freeze...); err != nil {
		return err
	}
	loss := stage.LossOf(d)
	feed := a.Train.Feed(ctx, d.Batch, random.Stream(a.Config.Seed, "truth", "subsets"), d.KL == 0)
	feed.Vary = corpus.Vary(a.Config.Data.Vary)
	defer feed.Close()
	o := distillation.Options{Steps: s.Steps, LR: d.LR, Schedule: optim.WarmupCosine(s.Steps, d.Warmup, finalRate), WeightDecay: d.WeightDecay,
		Clip: d.Clip, Average: d.Average, Precision: corpus.Precision(d.Precision), Recompute: a.Config.Recompute, Device: a.Train.On, Progress: events.Steps(s.Steps)}
	_, err := distillation.Train(ctx, student.Store().Tensors(d.Freeze...), o, func(at distillation.At, cast func(func())) (*torch.Tensor, error) {
		b, err := feed.Batch(at.Step)
		if err != nil {
			return nil, err
		}
		packed, err := a.Train.Batch(b.Index, b.Pixels)
		if err != nil {
			return nil, err
		}
		var said *distillation.Teacher
		if d.KL != 0 {
			torch.NoGrad(func() { said = distillation.Logits(teacher.Logits(packed)) })
		}
		var logits *torch.Tensor
		cast(func() { logits = student.Logits(packed) })
		return loss.Of(logits, said, packed.Targets, a.Train.Asked.Labelled(b.Index, a.Train.On)), nil
	})
	return err
}

// finalRate is the share of the learning rate at the end, as at the end of a stage.
const finalRate = .02

// stageOf is the first stage that cuts axes of a kind, or the first of all.
func stageOf(stages config.Stages, kind nn.Kind) *config.StageConfig {
	for i := range stages {
		if slices.Contains(stages[i].Kinds(), kind) {
			return &stages[i]
		}
	}
	return &stages[0]
}

// finite is nil for what is not a number, which JSON cannot hold.
func finite(v float64) *float64 {
	if math.IsNaN(v) {
		return nil
	}
	return &v
}
