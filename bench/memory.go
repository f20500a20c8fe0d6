package bench

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"espalier/pipeline/fault"
	system "espalier/pipeline/process"
	"espalier/torch"
)

// memoryOf runs this program again for the memory of a training step: what was freed before would hide a part of it.
func memoryOf(s size, again bool) ([]float64, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := exec.Command(self, "-step-memory", s.label(), "-threads", strconv.Itoa(torch.NumThreads()))
	if again {
		command.Args = append(command.Args, "-recompute")
	}
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(command.Args, " "), err)
	}
	bytes, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	return []float64{bytes}, err
}

// StepMemory is the bytes by which the peak of two training steps of a network passes what the process has before, its weights among it. again:
// blocks are computed a second time in backward.
func StepMemory(name string, again bool, threads int) (int64, error) {
	torch.SetNumThreads(threads)
	for _, p := range parts(true, torch.CPU) {
		if p.size.label() == name {
			return stepMemory(p.size, again)
		}
	}
	return 0, fault.Inputf("-step-memory: no size has the name %q", name)
}

func stepMemory(s size, again bool) (int64, error) {
	h, err := drawNetwork(s)
	if err != nil {
		return 0, err
	}
	net := h.networks["teacher"]
	defer net.Store().Free()
	if err := system.ForgetPeak(); err != nil {
		return 0, err
	}
	before := system.Resident()
	_, _, err = h.train(net, 1, torch.Float32, again)
	return system.Peak() - before, err
}
