package torch_test

import (
	"debug/elf"
	"path/filepath"
	"regexp"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

func TestLibrary(t *testing.T) {
	torchtest.Setup(t)
	require.Regexp(t, regexp.MustCompile(`^2\.\d+\.\d+`), torch.Version())
	torch.SetNumThreads(2)
	require.Equal(t, 2, torch.NumThreads())
	torch.TrimMemory()
}

// Go moves goroutines between threads of the system, each of which has a number of its own in OpenMP: a scope has the number that was set last,
// wherever it was set, and WithThreads changes it for one goroutine alone.
func TestThreadsHoldEverywhere(t *testing.T) {
	torchtest.Setup(t)
	ask := make([]chan int, 4) // goroutines that keep a thread each
	answer := make(chan int)
	for i := range ask {
		ask[i] = make(chan int)
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			for set := range ask[i] {
				if set > 0 {
					torch.SetNumThreads(set)
				}
				torch.Run(func(*torch.Scope) error { answer <- torch.NumThreads(); return nil })
			}
		}()
		defer close(ask[i])
	}
	defer torch.SetNumThreads(torch.NumThreads())
	for _, n := range []int{2, 1, 3} {
		ask[n] <- n
		require.Equal(t, n, <-answer)
		for i := range ask {
			ask[i] <- 0
			require.Equal(t, n, <-answer, "thread %d after %d was set on another", i, n)
		}
	}
	torch.WithThreads(1, func() {
		require.Equal(t, 1, torch.NumThreads())
		ask[0] <- 0
		require.Equal(t, 3, <-answer, "others keep theirs")
		torch.SetNumThreads(2)
		require.Equal(t, 1, torch.NumThreads())
	})
	require.Equal(t, 2, torch.NumThreads())
	require.Panics(t, func() { torch.WithThreads(0, func() {}) })
}

// An operation of the shim's own leaves its thread's number as it is: libtorch's headers would set the number that any thread set last, at the first
// such operation of each thread.
func TestThreadsHoldInOperationsOfOurOwn(t *testing.T) {
	torchtest.Setup(t)
	defer torch.SetNumThreads(torch.NumThreads())
	torch.SetNumThreads(2)
	const threads = 16 // more than there were: some are new to libtorch
	var begun, set sync.WaitGroup
	begun.Add(threads)
	set.Add(1)
	after := make(chan int)
	for range threads {
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			torch.Run(func(*torch.Scope) error {
				torch.NumThreads()
				begun.Done()
				set.Wait()
				p := torch.Zeros([]int{10}, torch.Float32, torch.CPU)
				p.SetGrad(p)
				torch.GatherGrads([]*torch.Tensor{p})
				after <- torch.NumThreads()
				return nil
			})
		}()
	}
	begun.Wait()
	torch.WithThreads(3, func() {
		set.Done()
		for range threads {
			require.Equal(t, 2, <-after)
		}
	})
}

func TestCPUCapability(t *testing.T) {
	require.Contains(t, []string{"DEFAULT", "AVX2", "AVX512"}, torch.CPUCapability())
}

// Another process under another setting sees the setting, and the same library.
func TestCapabilityAndPathOfTheLoadedLibrary(t *testing.T) {
	out := inChild(t, "library", "ATEN_CPU_CAPABILITY=default")
	require.Equal(t, "DEFAULT "+torch.ShimPath(), out)
	_, err := elf.Open(torch.ShimPath())
	require.NoError(t, err)
	require.Equal(t, "libespalier.so", filepath.Base(torch.ShimPath()))
}

func TestLiveTensors(t *testing.T) {
	torchtest.Setup(t)
	before := torch.LiveTensors()
	x := torch.Ones([]int{2}, torch.Float32, torch.CPU)
	y := x.Detach()
	require.Equal(t, before+2, torch.LiveTensors())
	x.Free()
	y.Free()
	require.Equal(t, before, torch.LiveTensors())
}
