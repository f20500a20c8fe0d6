package chain

import (
	"bufio"
	"os"
	"runtime"
	"slices"
	"strings"

	"espalier"
	"espalier/pipeline/process"
	"espalier/torch"
	"espalier/torch/disk"
)

// Environment is what moves the bits of results besides a step's input. It is part of every fingerprint.
type Environment struct {
	Sources    string // hash of the program's Go sources below cmd/, and of go.sum
	Shim       string // hash of libespalier.so
	Libtorch   string
	Go         string
	CPU        string            // vendor, family, model
	Capability string            // the vector instructions that libtorch's kernels use
	Variables  map[string]string // those that choose kernels
	Device     string            // with its name where it is a GPU: what was timed on one must not be compared with another
	Threads    int
	Workers    int // that compute the pieces of a training's batch at once
}

// WorkerThreads is how many threads an operation of each of the workers may use.
func (e Environment) WorkerThreads() int { return max(1, e.Threads/max(1, e.Workers)) }

// variables are the beginnings of the names of environment variables that choose kernels, and so move the last bits.
var variables = []string{"ATEN_", "ONEDNN_", "DNNL_", "MKL_", "CUBLAS_", "CUDNN_", "NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32"}

// EnvironmentOf is the present environment for work on a device.
func EnvironmentOf(on torch.Device, threads, workers int) (Environment, error) {
	shim, _, err := disk.Sum(torch.ShimPath())
	if err != nil {
		return Environment{}, err
	}
	e := Environment{Sources: espalier.Sources(), Shim: shim, Libtorch: torch.Version(), Go: runtime.Version(), CPU: cpu(),
		Capability: torch.CPUCapability(), Variables: map[string]string{}, Device: on.String(), Threads: threads, Workers: workers}
	if on.IsCUDA() {
		name, err := process.GPU(int(on))
		if err != nil {
			return e, err
		}
		e.Device += ", " + name
	}
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		if slices.ContainsFunc(variables, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			e.Variables[name] = value
		}
	}
	return e, nil
}

// cpu is the vendor, family and model of the first processor, where the system tells.
func cpu() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer f.Close()
	parts := []string{runtime.GOARCH}
	for lines := bufio.NewScanner(f); lines.Scan() && lines.Text() != ""; {
		key, value, _ := strings.Cut(lines.Text(), ":")
		switch strings.TrimSpace(key) {
		case "vendor_id", "cpu family", "model", "CPU implementer", "CPU part":
			parts = append(parts, strings.TrimSpace(value))
		}
	}
	return strings.Join(parts, " ")
}
