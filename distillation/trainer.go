package distillation

import (
	"context"
	"errors"
	"fmt"
	"math"

	"espalier/torch"
	"espalier/torch/optim"
)

var minusInfinity = math.Inf(-1)

// Options say how parameters are trained.
type Options struct {
	Steps       int
	Accumulate  int // losses averaged in one step; 0 means 1
	LR          float64
	Schedule    optim.Schedule // factor on LR; nil keeps it
	Beta1       float64        // 0 means .9
	Beta2       float64        // 0 means .98
	WeightDecay float64
	DecayAll    bool        // biases and norms decay too
	Clip        float64     // limit on the gradients' common norm; 0 does not clip
	Precision   torch.DType // BFloat16 or Float16 casts the forward; Float32 does not
	Recompute   bool        // blocks keep only their inputs for backward and are computed again there (torch.Recompute)
	Device      torch.Device
	Progress    func(step int, loss float64) // after each step, counted from 1
}

// ErrDiverged says that a loss was no number.
var ErrDiverged = errors.New("the loss is not a finite number")

// Train updates parameters with AdamW. loss computes one scalar in the current scope, for a step and the part of it that
// is accumulated; what it runs inside cast is computed in the options' precision, its blocks once more in backward where
// the options say so. Training stops between steps when ctx
// ends. The parameters ask for gradients afterwards as they did before.
func Train(ctx context.Context, params []*torch.Tensor, o Options, loss func(step, part int, cast func(func())) (*torch.Tensor, error)) error {
	o.complete()
	asked := make([]bool, len(params))
	for i, p := range params {
		asked[i] = p.RequiresGrad()
		p.SetRequiresGrad(true)
	}
	adam := optim.NewAdamW(params, o.WeightDecay, o.DecayAll)
	adam.Beta1, adam.Beta2 = o.Beta1, o.Beta2
	defer func() {
		adam.ZeroGrad()
		adam.Close()
		for i, p := range params {
			p.SetRequiresGrad(asked[i])
		}
	}()
	for step := range o.Steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		total, err := o.step(adam, step, loss)
		if err != nil {
			return fmt.Errorf("distillation: step %d: %w", step+1, err)
		}
		if o.Progress != nil {
			o.Progress(step+1, total)
		}
	}
	return nil
}

func (o *Options) complete() {
	o.Accumulate = max(1, o.Accumulate)
	if o.Schedule == nil {
		o.Schedule = optim.Constant()
	}
	if o.Beta1 == 0 {
		o.Beta1 = .9
	}
	if o.Beta2 == 0 {
		o.Beta2 = .98
	}
}

func (o *Options) step(adam *optim.AdamW, step int, loss func(step, part int, cast func(func())) (*torch.Tensor, error)) (total float64, err error) {
	for part := range o.Accumulate {
		err := torch.Run(func(*torch.Scope) error {
			l, err := loss(step, part, o.cast)
			if err != nil {
				return err
			}
			if o.Accumulate > 1 {
				l = l.MulScalar(1 / float64(o.Accumulate))
			}
			l.Backward()
			total += l.Item()
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	if math.IsNaN(total) || math.IsInf(total, 0) {
		return 0, fmt.Errorf("%w; a smaller lr or a longer warmup helps", ErrDiverged)
	}
	if o.Clip > 0 {
		if _, err := torch.ClipGradNorm(adam.Params(), o.Clip); err != nil {
			return 0, err
		}
	}
	if err := adam.Step(o.LR * o.Schedule(step)); err != nil {
		return 0, err
	}
	adam.ZeroGrad()
	return total, nil
}

func (o *Options) cast(f func()) {
	if o.Recompute {
		plain := f
		f = func() { torch.Recompute(plain) }
	}
	if o.Precision == torch.BFloat16 || o.Precision == torch.Float16 {
		torch.Autocast(o.Device, o.Precision, f)
		return
	}
	f()
}
