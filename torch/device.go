package torch

// #include "espalier.h"
import "C"

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// Device is CPU, the number of a CUDA device, or the test device.
type Device int32

// CPU is the main memory.
const CPU Device = C.ESP_CPU

// Test is a device for tests, which stands in for a GPU: its kernels are the CPU's, and its memory cannot be read by the host.
// It is there after LoadTestDevice.
const Test Device = C.ESP_TEST_DEVICE

// CUDA is the n-th CUDA device.
func CUDA(n int) Device { return Device(n) }

// IsCUDA tells a CUDA device from the CPU.
func (d Device) IsCUDA() bool { return d >= 0 }

func (d Device) String() string {
	switch {
	case d == Test:
		return testName
	case d < 0:
		return "cpu"
	}
	return fmt.Sprintf("cuda:%d", int(d))
}

var cudaCount = sync.OnceValues(func() (int, error) {
	var n C.int32_t
	err := statusError("load CUDA", C.esp_cuda_load(&n))
	return int(n), err
})

const testName = "test"

// LoadTestDevice makes Test usable, and tells whether it is there: make builds it beside the shim, and nothing installs it.
// It must come before anything is computed, since libtorch asks once which devices there are.
var LoadTestDevice = sync.OnceValue(func() bool { return number("load the test device", C.esp_test_device_load()) != 0 })

// CUDADevices counts the usable CUDA devices. The first call loads libtorch's CUDA library where it is installed.
func CUDADevices() int {
	n, _ := cudaCount()
	return n
}

// ParseDevice reads "cpu", "cuda", "cuda:1" or "auto" (the first CUDA device where there is one) and checks that the
// device is there.
func ParseDevice(s string) (Device, error) {
	switch {
	case s == "cpu":
		return CPU, nil
	case s == "auto" || s == "":
		if CUDADevices() > 0 {
			return CUDA(0), nil
		}
		return CPU, nil
	case s == "cuda":
		s = "cuda:0"
	case s == testName && LoadTestDevice(): // "test" is for tests, and no message names it
		return Test, nil
	}
	index, ok := strings.CutPrefix(s, "cuda:")
	n, err := strconv.Atoi(index)
	if !ok || err != nil || n < 0 {
		return CPU, fmt.Errorf("torch: device %q is not cpu, cuda, cuda:N or auto", s)
	}
	count, err := cudaCount()
	if err != nil {
		return CPU, fmt.Errorf("torch: device %q: %w", s, err)
	}
	if n >= count {
		return CPU, fmt.Errorf("torch: device %q is not there: %d CUDA devices usable; use cpu or auto", s, count)
	}
	return CUDA(n), nil
}

// Synchronize waits until all work given to the device is done.
func (d Device) Synchronize() {
	check("synchronize", C.esp_cuda_synchronize(C.int32_t(d)))
}
