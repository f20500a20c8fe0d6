package distillation

import (
	"context"
	"fmt"

	"espalier/torch"
	"espalier/torch/disk"
	"espalier/torch/optim"
)

// Keep says where a training, or the computing of a teacher's outputs, keeps its state.
type Keep = disk.Keep

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
	Average     float64     // decay of the average of the weights that the parameters take at the end; 0 keeps the last weights
	Precision   torch.DType // BFloat16 or Float16 casts the forward; Float32 does not
	Recompute   bool        // blocks keep only their inputs for backward and are computed again there (torch.Recompute)
	Device      torch.Device
	Beside      []Worker      // compute pieces of each batch at the same time
	Threads     int           // that an operation of a worker may use where there are several; 0: as everywhere
	Pieces      *torch.Pieces // divides batches where memory is short; nil: they are not divided
	Keep        Keep
	Progress    func(step int, loss float64) // after each step, counted from 1
	Points      func(points []Point)         // the next points of the course; first, where there is a state, all that it has
	Note        func(text string)            // of what went wrong and was got over
}

// At is what a loss is asked for: a piece of the batch number Step · Accumulate + Part. The losses of the pieces of a batch add
// up to the batch's; nil stands for a piece that nothing is learnt from. A batch may be asked for more than once.
type At struct{ Step, Part, Piece, Pieces int }

// LossAt computes one scalar in the current scope. What it runs inside cast is computed in the options' precision, its blocks
// once more in backward where the options say so.
type LossAt func(at At, cast func(func())) (*torch.Tensor, error)

// Trained is what is told of a training.
type Trained struct {
	Skipped int // steps whose loss or gradients were no numbers
	Course  Course
}

// Train updates parameters with AdamW. It goes on from a state that [Keep] holds. When ctx ends, the state is kept and the
// cause returned. The parameters ask for gradients afterwards as they did before.
func Train(ctx context.Context, params []*torch.Tensor, o Options, loss LossAt) (Trained, error) {
	o.complete()
	var adam *optim.AdamW
	if err := torch.Run(func(*torch.Scope) error {
		adam = optim.NewAdamW(params, o.WeightDecay, o.DecayAll)
		return nil
	}); torch.LacksMemory(err) {
		return Trained{}, fmt.Errorf("distillation: %w", &torch.OutOfMemory{What: "the optimizer's state, two numbers a parameter", Err: err})
	} else if err != nil {
		return Trained{}, fmt.Errorf("distillation: the optimizer's state: %w", err)
	}
	adam.Beta1, adam.Beta2 = o.Beta1, o.Beta2
	defer adam.Close()
	crew := newCrew(Worker{params, loss}, o.Beside, o.Threads)
	defer crew.end()
	defer crew.learning()()
	t := &training{o: o, adam: adam, params: params, crew: crew, keeper: disk.NewKeeper(o.Keep, o.Note), course: Course{Steps: o.Steps}}
	defer t.average.free()
	if err := t.average.begin(params, o.Average); err != nil {
		return t.told(), err
	}
	if err := t.restore(); err != nil {
		return t.told(), err
	}
	for t.step < o.Steps {
		if ctx.Err() != nil {
			t.save()
			return t.told(), context.Cause(ctx)
		}
		total, point, err := t.take()
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
		if point {
			o.Points(t.course.Points[len(t.course.Points)-1:])
		}
		if t.keeper.Due(t.step) || o.Keep.Last && t.step == o.Steps {
			t.save()
		}
	}
	return t.told(), t.average.give(params)
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
	if o.Note == nil {
		o.Note = func(string) {}
	}
	if o.Points == nil {
		o.Points = func([]Point) {}
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
	crew   *crew
	keeper disk.Keeper

	average average
	course  Course

	step, skipped, row int // steps done; of these skipped, in all and just now one after another
}

func (t *training) told() Trained { return Trained{t.skipped, t.course} }

// take takes one step; point tells whether the course has a new point. Where memory is short, batches are computed in more pieces
// from then on.
func (t *training) take() (total float64, point bool, err error) {
	var bad string
	var norm float64
	err = t.o.Pieces.Do(t.step, func(pieces int) error {
		t.crew.zeroGrad() // of an attempt that did not fit
		if total, bad, err = t.gradients(pieces); err != nil {
			return err
		}
		norm, err = t.crew.gather()
		return err
	})
	if err != nil {
		return 0, false, err
	}
	rate := t.o.LR * t.o.Schedule(t.step)
	point = t.course.add(t.step+1, total, rate, norm)
	if !finite(total) || !finite(norm) {
		t.crew.zeroGrad()
		return total, point, t.skip(total, norm, rate, bad)
	}
	t.row = 0
	scale := 1.
	if t.o.Clip != 0 {
		scale = optim.ClipScale(norm, t.o.Clip)
	}
	if err := t.adam.Step(rate, scale); err != nil {
		return 0, false, err
	}
	t.crew.zeroGrad()
	return total, point, t.average.add(t.params, t.step-t.skipped)
}

// gradients computes the loss of a step, and adds its gradients up. bad names the first batch whose loss is no number, or
// where there is none all that the gradients are of.
func (t *training) gradients(pieces int) (total float64, bad string, err error) {
	first := t.step * t.o.Accumulate
	for part := range t.o.Accumulate {
		for piece := range pieces {
			loss, err := t.crew.backward(At{t.step, part, piece, pieces}, 1/float64(t.o.Accumulate), t.o.cast)
			if err != nil {
				return 0, "", err
			}
			total += loss
		}
		if bad == "" && !finite(total) {
			bad = fmt.Sprintf("batch %d", first+part)
		}
	}
	switch {
	case bad != "":
	case t.o.Accumulate == 1:
		bad = fmt.Sprintf("batch %d", first)
	default:
		bad = fmt.Sprintf("batches %d to %d", first, first+t.o.Accumulate-1)
	}
	return total, bad, nil
}
