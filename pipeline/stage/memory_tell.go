package stage

import (
	"fmt"

	"espalier/pipeline/process"
)

// worthTelling is how much memory makes a run's peak worth a line.
const worthTelling = 2 << 30

// kernels is what libtorch's kernels take for themselves once they work: packed weights, buffers of threads.
const kernels = 256 << 20

// TellMemory says before anything is computed how much memory the run will need, and what helps where there is less. The
// program itself has taken so many bytes so far.
func TellMemory(in Input, loaded int64) error {
	program := loaded + kernels
	peak, err := peakOf(in.Config, in.Teacher.Declared(), in.Teacher.Dtypes, in.Train)
	if err != nil {
		return err
	}
	total := program + peak.total()
	if total < worthTelling {
		return nil
	}
	text := fmt.Sprintf("memory: about %s at the peak, in the %s: weights %s", gib(total), peak.What, gib(peak.Weights))
	for _, part := range []struct {
		name  string
		bytes int64
	}{{"gradients", peak.Gradients}, {"optimizer", peak.Optimizer}, {"activations", peak.Forwarded}, {"the program", program}} {
		if part.bytes > 0 {
			text += fmt.Sprintf(", %s %s", part.name, gib(part.bytes))
		}
	}
	if there := process.Available(); !in.Train.On.IsCUDA() && there > 0 && total > there {
		text += fmt.Sprintf("; %s is there: recompute = true, a smaller distil.batch with a larger distil.accumulate, "+
			`or distil.freeze = ["vision", "embeddings"] needs less`, gib(there))
	}
	in.Events.Note("%s", text)
	return nil
}

func gib(bytes int64) string { return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30)) }
