package pipeline

import (
	"fmt"
	"os"
	"strings"
)

// worthTelling is how much memory makes a run's peak worth a line.
const worthTelling = 2 << 30

// kernels is what libtorch's kernels take for themselves once they work: packed weights, buffers of threads.
const kernels = 256 << 20

// tellMemory says before anything is computed how much memory the run will need, and what helps where there is less.
func (r *run) tellMemory() error {
	program := r.program + kernels
	peak, err := peakOf(r.cfg, r.teacher, r.train)
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
	if there := availableMemory(); !r.device.IsCUDA() && there > 0 && total > there {
		text += fmt.Sprintf("; %s is there: recompute = true, a smaller distil.batch with a larger distil.accumulate, "+
			`or distil.freeze = ["vision", "embeddings"] needs less`, gib(there))
	}
	r.events.Emit(Note{text})
	return nil
}

func gib(bytes int64) string { return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30)) }

// availableMemory is what the system can still give, with what this process has; 0 where it does not tell.
func availableMemory() int64 {
	free := procValue("/proc/meminfo", "MemAvailable:")
	if free == 0 {
		return 0
	}
	return free + procValue("/proc/self/status", "VmRSS:")
}

// procValue reads a line "key: n kB" of a file of /proc, in bytes.
func procValue(file, key string) int64 {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range strings.SplitSeq(string(data), "\n") {
		if rest, ok := strings.CutPrefix(line, key); ok {
			var kib int64
			if n, _ := fmt.Sscanf(rest, "%d kB", &kib); n == 1 {
				return kib << 10
			}
		}
	}
	return 0
}
