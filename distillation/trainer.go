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
	Pieces      int // the most pieces that a batch can be computed in where memory is short; 0 means 1
	Keep        Keep
	Progress    func(step int, loss float64) // after each step, counted from 1
	Note        func(text string)            // of what went wrong and was got over
}

// At is what a loss is asked for: a piece of the batch number Step · Accumulate + Part. The losses of the pieces of a batch add
// up to the batch's. A batch may be asked for more than once.
type At struct{ Step, Part, Piece, Pieces int }

// LossAt computes one scalar in the current scope. What it runs inside cast is computed in the options' precision, its blocks
// once more in backward where the options say so.
type LossAt func(at At, cast func(func())) (*torch.Tensor, error)

// Trained is what is told of a training.
type Trained struct {
	Skipped int // steps whose loss or gradients were no numbers
	Pieces  int // that a batch was computed in at the end; 1 where there was memory enough
}

// inARow is how many steps may be skipped one after another.
const inARow = 10

// Diverged says that too many losses or gradients were no numbers.
type Diverged struct {
	Step, Skipped int
	InARow        bool // the weights may be lost: another start with a smaller rate may help
	LR            float64
	Loss          float64
}

func (e *Diverged) Error() string {
	return fmt.Sprintf("%d steps were skipped until step %d, whose loss is %g at a rate of %.3g: the loss or its gradients are not finite numbers; "+
		"a smaller lr or a longer warmup helps", e.Skipped, e.Step, e.Loss, e.LR)
}

// Train updates parameters with AdamW. It goes on from a state that [Keep] holds. When ctx ends, the state is kept and the
// cause returned. The parameters ask for gradients afterwards as they did before.
func Train(ctx context.Context, params []*torch.Tensor, o Options, loss LossAt) (Trained, error) {
	o.complete()
	asked := make([]bool, len(params))
	for i, p := range params {
		asked[i] = p.RequiresGrad()
		p.SetRequiresGrad(true)
	}
	var adam *optim.AdamW
	if err := torch.Run(func(*torch.Scope) error {
		adam = optim.NewAdamW(params, o.WeightDecay, o.DecayAll)
		return nil
	}); err != nil {
		return Trained{}, fmt.Errorf("distillation: the optimizer's state, two numbers a parameter: %w", err)
	}
	adam.Beta1, adam.Beta2 = o.Beta1, o.Beta2
	t := &training{o: o, adam: adam, params: params, loss: loss, pieces: 1}
	defer func() {
		adam.ZeroGrad()
		adam.Close()
		for i, p := range params {
			p.SetRequiresGrad(asked[i])
		}
	}()
	if err := t.restore(); err != nil {
		return t.told(), err
	}
	for t.step < o.Steps {
		if ctx.Err() != nil {
			t.save()
			return t.told(), context.Cause(ctx)
		}
		total, err := t.take()
		if err != nil {
			if ctx.Err() != nil {
				t.save() // the weights are those of the step before
				return t.told(), context.Cause(ctx)
			}
			return t.told(), fmt.Errorf("distillation: step %d: %w", t.step+1, err)
		}
		t.step++
		if o.Progress != nil {
			o.Progress(t.step, total)
		}
		t.saveAtTimes()
	}
	return t.told(), nil
}

func (o *Options) complete() {
	o.Accumulate, o.Pieces = max(1, o.Accumulate), max(1, o.Pieces)
	if o.Schedule == nil {
		o.Schedule = optim.Constant()
	}
	if o.Beta1 == 0 {
		o.Beta1 = .9
	}
	if o.Beta2 == 0 {
		o.Beta2 = .98
	}
	if o.Note == nil {
		o.Note = func(string) {}
	}
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

// training is one at work.
type training struct {
	o      Options
	adam   *optim.AdamW
	params []*torch.Tensor
	loss   LossAt
	keeper keeper

	step, skipped, row int // steps done; of these skipped, in all and just now one after another
	pieces             int
}

func (t *training) told() Trained { return Trained{Skipped: t.skipped, Pieces: t.pieces} }

// take takes one step. Where memory is short, batches are computed in more pieces from then on.
func (t *training) take() (total float64, err error) {
	for {
		total, err = t.gradients()
		var e *torch.Error
		if !errors.As(err, &e) || e.Kind != torch.KindMemory {
			break
		}
		t.adam.ZeroGrad()
		torch.TrimMemory()
		if t.pieces >= t.o.Pieces {
			return 0, fmt.Errorf("there is not enough memory, even for one picture at a time: %w; recompute = true or distil.freeze needs less", err)
		}
		t.pieces = min(2*t.pieces, t.o.Pieces)
		t.o.Note(fmt.Sprintf("step %d: there is not enough memory for its batch (%s): batches are computed in %d pieces from now on", t.step+1, e.Message, t.pieces))
	}
	if err != nil {
		return 0, err
	}
	limit := t.o.Clip
	if limit == 0 {
		limit = math.Inf(1) // for the norm alone
	}
	norm, err := torch.ClipGradNorm(t.adam.Params(), limit)
	if err != nil {
		return 0, err
	}
	rate := t.o.LR * t.o.Schedule(t.step)
	if !finite(total) || !finite(norm) {
		t.adam.ZeroGrad()
		return total, t.skip(total, norm, rate)
	}
	t.row = 0
	if err := t.adam.Step(rate); err != nil {
		return 0, err
	}
	t.adam.ZeroGrad()
	return total, nil
}

// skip counts a step that is not taken.
func (t *training) skip(loss, norm, rate float64) error {
	t.skipped++
	t.row++
	e := &Diverged{Step: t.step + 1, Skipped: t.skipped, InARow: t.row >= inARow, LR: rate, Loss: loss}
	if e.InARow || 10*t.skipped > t.o.Steps {
		return e
	}
	t.o.Note(fmt.Sprintf("step %d is skipped: its loss is %g, the norm of its gradients %g (batch %d, counted from 0)", t.step+1, loss, norm, t.step*t.o.Accumulate))
	return nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// gradients computes the loss of a step, and adds its gradients up.
func (t *training) gradients() (total float64, err error) {
	for part := range t.o.Accumulate {
		for piece := range t.pieces {
			err := torch.Run(func(*torch.Scope) error {
				l, err := t.loss(At{t.step, part, piece, t.pieces}, t.o.cast)
				if err != nil || l == nil { // a batch of fewer pictures has fewer pieces
					return err
				}
				if t.o.Accumulate > 1 {
					l = l.MulScalar(1 / float64(t.o.Accumulate))
				}
				l.Backward()
				total += l.Item()
				return nil
			})
			if err != nil {
				return 0, err
			}
		}
	}
	return total, nil
}
