package torch

// #include "espalier.h"
import "C"

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// Device is CPU, or the number of a CUDA device.
type Device int32

// CPU is the main memory.
const CPU Device = -1

// CUDA is the n-th CUDA device.
func CUDA(n int) Device { return Device(n) }

// IsCUDA tells a CUDA device from the CPU.
func (d Device) IsCUDA() bool { return d >= 0 }

func (d Device) String() string {
	if d < 0 {
		return "cpu"
	}
	return fmt.Sprintf("cuda:%d", int(d))
}

var cudaCount = sync.OnceValues(func() (int, error) {
	var n C.int32_t
	err := statusError("load CUDA", C.esp_cuda_load(&n))
	return int(n), err
})

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
