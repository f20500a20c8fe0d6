package stage

import (
	"errors"
	"fmt"
	"slices"

	"espalier/pipeline/process"
	"espalier/torch"
)

// worthTelling is how much memory makes a run's peak worth a line.
const worthTelling = 2 << 30

// kernels is what libtorch's kernels take for themselves once they work: packed weights, buffers of threads.
const kernels = 256 << 20

// Memory is what a run needs at its peak, bytes, and in which piece of its work.
type Memory struct {
	What                                                string
	Weights, Gradients, Optimizer, Activations, Program int64
}

// Total is all of it.
func (m Memory) Total() int64 {
	return m.Weights + m.Gradients + m.Optimizer + m.Activations + m.Program
}

// NeedOf estimates the memory of a run before anything is computed. The program itself has taken so many bytes so far.
func NeedOf(in Input, loaded int64) (Memory, error) {
	peak, err := peakOf(in.Config, in.Teacher.Declared(), in.Teacher.Dtypes, in.Train)
	return Memory{peak.What, peak.Weights, peak.Gradients, peak.Optimizer, peak.Forwarded, loaded + kernels}, err
}

// TellMemory says before anything is computed how much memory the run will need, and what helps where there is less. The
// program itself has taken so many bytes so far.
func TellMemory(in Input, loaded int64) error {
	need, err := NeedOf(in, loaded)
	if err != nil {
		return err
	}
	if need.Total() < worthTelling {
		return nil
	}
	text := fmt.Sprintf("memory: about %s at the peak, in the %s: weights %s", gib(need.Total()), need.What, gib(need.Weights))
	for _, part := range []struct {
		name  string
		bytes int64
	}{{"gradients", need.Gradients}, {"optimizer", need.Optimizer}, {"activations", need.Activations}, {"the program", need.Program}} {
		if part.bytes > 0 {
			text += fmt.Sprintf(", %s %s", part.name, gib(part.bytes))
		}
	}
	if there := process.Available(); !in.Train.On.IsCUDA() && there > 0 && need.Total() > there {
		text += fmt.Sprintf("; %s is there: recompute = true, a smaller distil.batch with a larger distil.accumulate, "+
			`or distil.freeze = ["vision", "embeddings"] needs less`, gib(there))
	}
	in.Events.Note("%s", text)
	return nil
}

// ExplainShort adds to the error of a run that found too little memory how much it needs with batches of one picture, which is as
// far as they are divided. loaded is what the program itself took before the run.
func ExplainShort(err error, in Input, loaded int64) error {
	if short := (*torch.OutOfMemory)(nil); !errors.As(err, &short) && !torch.LacksMemory(err) {
		return err
	}
	least := *in.Config
	least.Importance.Batch, least.Eval.Batch, least.Stages = 1, 1, slices.Clone(least.Stages)
	for i := range least.Stages {
		least.Stages[i].Distil.Batch = 1
	}
	if t := least.Teacher.Train; t != nil {
		one := *t
		one.Batch = 1
		least.Teacher.Train = &one
	}
	peak, failed := peakOf(&least, in.Teacher.Declared(), in.Teacher.Dtypes, in.Train)
	if failed != nil {
		return err
	}
	text := fmt.Sprintf("the run needs about %s even with one picture at a time, most of it in the %s", gib(loaded+kernels+peak.total()), peak.What)
	if there := process.Available(); there > 0 && !in.Train.On.IsCUDA() {
		text += fmt.Sprintf("; %s are there", gib(there))
	}
	return fmt.Errorf("%w (%s)", err, text)
}

func gib(bytes int64) string { return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30)) }
