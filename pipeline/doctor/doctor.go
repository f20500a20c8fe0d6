// Package doctor looks at what a run needs of this machine, and says what to do where something is amiss.
package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"espalier/pipeline/process"
	"espalier/pipeline/report"
	"espalier/torch"
	"espalier/torch/disk"
)

// State is how a finding is.
type State string

const (
	OK    State = "ok"
	Look  State = "look"  // a run works, and something about it is worth knowing
	Wrong State = "wrong" // a run does not work
)

// Finding is one thing that was looked at. Remedy is empty where all is well.
type Finding struct {
	What   string `json:"what"`
	State  State  `json:"state"`
	Says   string `json:"says"`
	Remedy string `json:"remedy,omitempty"`
}

// Places are the folders that a run writes.
type Places struct {
	Cache    string // of results that runs share
	CacheErr error  // why there is none
	Work     string // the working folder
}

// Examine looks at everything, each in a line.
func Examine(at Places) []Finding {
	return []Finding{libtorch(), cpu(), threads(), memory(), gpu(), cache(at), work(at)}
}

// Sound tells whether nothing is wrong.
func Sound(findings []Finding) bool {
	for _, f := range findings {
		if f.State == Wrong {
			return false
		}
	}
	return true
}

// libtorch computes something small, forwards and backwards.
func libtorch() Finding {
	f := Finding{What: "libtorch", State: OK, Says: fmt.Sprintf("%s, through %s", torch.Version(), filepath.Clean(torch.ShimPath()))}
	var got, gradient float64
	err := torch.Run(func(*torch.Scope) error {
		x := torch.From([]float32{1, 2, 3, 4}, torch.CPU, 2, 2).SetRequiresGrad(true)
		y := x.MatMul(x).Sum()
		y.Backward()
		got, gradient = y.Item(), x.Grad().Sum().Item()
		return nil
	})
	const sum, slope = 54, 40 // of (1 2; 3 4)², and of its derivatives
	if err == nil && (got != sum || gradient != slope) {
		err = fmt.Errorf("a product of two small matrices came out as %g with gradients of %g, not %d and %d", got, gradient, sum, slope)
	}
	if err != nil {
		f.State, f.Says = Wrong, fmt.Sprintf("%s: %v", f.Says, err)
		f.Remedy = "build it anew with make clean && make; if that does not help, choose another libtorch with make LIBTORCH=folder"
	}
	return f
}

// cpu says which instructions libtorch's kernels use.
func cpu() Finding {
	name, capability := process.CPU(), torch.CPUCapability()
	if name == "" {
		name = runtime.GOARCH
	}
	return judgeCPU(name, capability, os.Getenv("ATEN_CPU_CAPABILITY"))
}

func judgeCPU(name, capability, forced string) Finding {
	f := Finding{What: "CPU", State: OK, Says: fmt.Sprintf("%s, with %s", name, capability)}
	switch {
	case forced != "":
		f.State = Look
		f.Says += fmt.Sprintf(", which ATEN_CPU_CAPABILITY=%s chooses", forced)
		f.Remedy = "unset ATEN_CPU_CAPABILITY for the fastest instructions that this CPU has"
	case capability == "DEFAULT" || capability == "NO AVX":
		f.State = Look
		f.Says = fmt.Sprintf("%s, without AVX2", name)
		f.Remedy = "runs work, several times slower: a machine with AVX2 (any x86 since 2015), or a GPU, is better"
	}
	return f
}

// threads says how many a run will take, and whether something else is at work.
func threads() Finding {
	load := 0.
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		_, _ = fmt.Sscan(string(text), &load) // 0 where the system does not tell
	}
	return judgeThreads(runtime.NumCPU(), runtime.GOMAXPROCS(0), load, os.Getenv("OMP_NUM_THREADS"))
}

// judgeThreads: usable is what a limit on the process's CPU time leaves, which Go knows.
func judgeThreads(cpus, usable int, load float64, omp string) Finding {
	f := Finding{What: "threads", State: OK, Says: fmt.Sprintf("%d CPUs; a run takes as many threads where run.toml does not say threads = N", cpus)}
	switch {
	case usable < cpus && os.Getenv("GOMAXPROCS") == "":
		f.State = Look
		f.Says = fmt.Sprintf("%d CPUs, of which a limit on this process (of its container, as a rule) leaves %d", cpus, usable)
		f.Remedy = fmt.Sprintf("set threads = %d in run.toml: more of them would wait for each other", usable)
	case load > float64(cpus)/2:
		f.State = Look
		f.Says = fmt.Sprintf("%d CPUs, and other work is under way (load %.1f)", cpus, load)
		f.Remedy = "latencies and energy are measured wrongly beside other work: let it end first, or give the run fewer threads"
	case omp != "":
		f.Says += fmt.Sprintf(" (OMP_NUM_THREADS=%s has no say)", omp)
	}
	return f
}

// leastMemory is what the smallest runs need, and littleMemory what the default job does.
const (
	leastMemory  = 700 << 20
	littleMemory = 2 << 30
)

func memory() Finding { return judgeMemory(process.Available()) }

func judgeMemory(there int64) Finding {
	f := Finding{What: "memory", State: OK, Says: report.Bytes(there) + " can be had"}
	switch {
	case there == 0:
		f.State, f.Says = Look, "this system does not tell how much there is"
		f.Remedy = "compare what pipeline -plan says with what you know of the machine"
	case there < leastMemory:
		f.State, f.Remedy = Wrong, "end other programs, or raise the limit (ulimit -v, or that of the container): even small runs need 700 MB"
	case there < littleMemory:
		f.State, f.Remedy = Look, "small networks work; pipeline -plan says how much a run needs"
	}
	return f
}

func gpu() Finding {
	n, err := torch.CUDADevices(), error(nil)
	if n == 0 {
		_, err = torch.ParseDevice("cuda")
	}
	_, driver := os.Stat("/proc/driver/nvidia/version")
	return judgeGPU(n, driver == nil, err)
}

func judgeGPU(usable int, driver bool, err error) Finding {
	f := Finding{What: "GPU", State: OK, Says: "none; runs compute on the CPU"}
	switch {
	case usable > 0:
		f.Says = fmt.Sprintf("%d usable; device = \"auto\" takes the first", usable)
	case driver:
		f.State = Look
		f.Says = "there is NVIDIA's driver, and no device can be used"
		if err != nil {
			f.Says += fmt.Sprintf(" (%v)", err)
		}
		f.Remedy = "choose a libtorch that was built for CUDA, make LIBTORCH=folder (that of a Python with the CUDA build of torch will do), and see that nvidia-smi lists the device"
	}
	return f
}

// little and least are bytes of free disk.
const (
	littleDisk = 5_000_000_000
	leastDisk  = 200_000_000
)

// cache is the folder of results that runs share.
func cache(at Places) Finding {
	const what = "cache folder"
	if at.CacheErr != nil {
		return Finding{what, Look, fmt.Sprintf("there is none (%v): results are kept in each run's folder alone", at.CacheErr),
			`set HOME or XDG_CACHE_HOME, or store = "folder" in run.toml`}
	}
	if err := writable(at.Cache); err != nil {
		return Finding{what, Look, fmt.Sprintf("%s cannot be written (%v): results are kept in each run's folder alone", at.Cache, err),
			`make it writable, or set store = "folder" in run.toml`}
	}
	return judgeDisk(what, at.Cache, process.FreeDisk(at.Cache), "free some space, or name a folder on another disk with store in run.toml")
}

// work is the folder that runs/ is made in.
func work(at Places) Finding {
	const what = "disk"
	if err := writable(at.Work); err != nil {
		return Finding{what, Wrong, fmt.Sprintf("the working folder %s cannot be written (%v)", at.Work, err), "start in a folder of your own, or name one with output in run.toml"}
	}
	return judgeDisk(what, at.Work, process.FreeDisk(at.Work), "free some space, or name a folder on another disk with output in run.toml")
}

func judgeDisk(what, folder string, free int64, remedy string) Finding {
	f := Finding{What: what, State: OK, Says: fmt.Sprintf("%s, %s free", folder, report.Bytes(free))}
	switch {
	case free == 0:
		f.Says = folder + "; this system does not tell how much is free"
	case free < leastDisk:
		f.State, f.Remedy = Wrong, remedy
	case free < littleDisk:
		f.State, f.Remedy = Look, remedy+"; pipeline -plan says how much a run needs"
	}
	return f
}

// writable makes a file, locks it as a run locks its folder, and takes it away again. Of a folder that is not there yet, it tries
// the nearest one around it.
func writable(folder string) error {
	for {
		if info, err := os.Stat(folder); err == nil {
			if !info.IsDir() {
				return fmt.Errorf("%s is a file", folder)
			}
			break
		}
		up := filepath.Dir(folder)
		if up == folder {
			return fmt.Errorf("%s is not there", folder)
		}
		folder = up
	}
	path := filepath.Join(folder, ".espalier-doctor")
	lock, err := disk.Lock(path, disk.Exclusive, false)
	if err != nil {
		return err
	}
	if err := lock.Unlock(); err != nil {
		return err
	}
	return os.Remove(path)
}

// Line is a finding without its remedy.
func (f Finding) Line() string {
	return strings.TrimRight(fmt.Sprintf("%-5s  %-12s  %s", f.State, f.What, f.Says), " ")
}
