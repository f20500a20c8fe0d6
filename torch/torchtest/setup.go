// Package torchtest is for tests of what computes with tensors: a clean start and a check for leaks, every device that
// is present, one table of tolerances, golden files.
package torchtest

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
)

// Setup keeps the test on its thread, computes with one thread, and fails the test when it ends with other tensors alive
// than it began with. Tensors made outside every scope may wait for Go's collector, which it calls.
func Setup(t testing.TB) {
	t.Helper()
	runtime.LockOSThread()
	threads := torch.NumThreads()
	torch.SetNumThreads(1)
	before := torch.LiveTensors()
	t.Cleanup(func() {
		torch.SetNumThreads(threads)
		runtime.UnlockOSThread()
		Collected(func() bool { return torch.LiveTensors() <= before })
		if after := torch.LiveTensors(); after > before && !t.Failed() {
			t.Errorf("%d tensors were alive before the test and %d are after it: something is never freed", before, after)
		}
	})
}

// Run is Setup, and then f in a scope; an error fails the test.
func Run(t *testing.T, f func(s *torch.Scope)) {
	t.Helper()
	Setup(t)
	require.NoError(t, torch.Run(func(s *torch.Scope) error {
		f(s)
		return nil
	}))
}

// Devices runs f, as Run does, on every device that is present, each in a subtest. Without a CUDA device, a skipped
// subtest says so.
func Devices(t *testing.T, f func(t *testing.T, on torch.Device)) {
	t.Helper()
	for _, on := range present() {
		t.Run(on.String(), func(t *testing.T) { Run(t, func(*torch.Scope) { f(t, on) }) })
	}
	if torch.CUDADevices() == 0 {
		t.Run("cuda", func(t *testing.T) { t.Skip("NO CUDA DEVICE: not tested on a GPU") })
	}
}

// Before any test computes. Where there is a GPU, nothing needs to stand in for it, and libtorch's backward works with one kind of device in a process.
var testDevice = torch.CUDADevices() == 0 && torch.LoadTestDevice()

// TestDevice tells whether the test device is there.
func TestDevice() bool { return testDevice }

func present() []torch.Device {
	devices := []torch.Device{torch.CPU}
	if testDevice {
		devices = append(devices, torch.Test)
	}
	for n := range torch.CUDADevices() {
		devices = append(devices, torch.CUDA(n))
	}
	return devices
}

// Collected lets Go's collector work until done, or until that is of no more use, and tells whether it is done.
func Collected(done func() bool) bool {
	for range 10 {
		if done() {
			return true
		}
		collected := make(chan struct{})
		runtime.AddCleanup(new([16]byte), func(c chan struct{}) { close(c) }, collected)
		runtime.GC()
		<-collected // clean-ups run on goroutines of their own
	}
	return done()
}
