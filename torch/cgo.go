package torch

// The one place with #cgo lines. The library is found relative to the source after make, and relative to the program
// in a folder made by make dist.

// #cgo CFLAGS: -I${SRCDIR}
// #cgo LDFLAGS: -L${SRCDIR}/../build/lib -lespalier -Wl,-rpath,${SRCDIR}/../build/lib -Wl,-rpath,$ORIGIN/../lib
// #include "espalier.h"
import "C"

import (
	"fmt"
	"runtime"
)

func init() {
	if got := int(C.esp_interface_version()); got != C.ESP_INTERFACE_VERSION {
		panic(fmt.Sprintf("torch: build/lib/libespalier.so has interface version %d, this program needs %d: run make",
			got, C.ESP_INTERFACE_VERSION))
	}
	check("prepare CUDA", C.esp_cuda_prepare())
}

// Version is libtorch's, such as "2.11.0", as of the headers that the library was built with.
func Version() string { return C.GoString(C.esp_libtorch_version()) }

// CPUCapability is what libtorch takes the CPU for, such as "AVX2" or "DEFAULT": sums are rounded in other places under each.
// The variable ATEN_CPU_CAPABILITY sets it.
func CPUCapability() string {
	var name *C.char
	check("cpu_capability", C.esp_cpu_capability(&name))
	return C.GoString(name)
}

// ShimPath is the file of the libespalier.so that this process has loaded.
func ShimPath() string {
	var path *C.char
	check("shim_path", C.esp_shim_path(&path))
	return C.GoString(path)
}

// LiveTensors counts the tensors that are held by this process through this package. A program that does not leak
// sees the same count after each step.
func LiveTensors() int { return int(C.esp_live_tensors()) }

// SetNumThreads sets how many threads an operation may use, 1 to 1024. What runs in a scope that is open already may keep the number of before.
func SetNumThreads(n int) { check("set_num_threads", C.esp_threads_set(C.int64_t(n))) }

// NumThreads is how many threads an operation may use.
func NumThreads() int { return number("num_threads", C.esp_threads_get()) }

// WithThreads calls f, whose operations may use so many threads, 1 to 1024, whatever SetNumThreads says. The goroutine keeps its thread of the system
// meanwhile; goroutines that f starts have the number of all others.
func WithThreads(n int, f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if n < 1 {
		misuse("with_threads", KindMisuse, fmt.Sprintf("%d threads: give 1 to 1024", n))
	}
	before := number("with_threads", C.esp_threads_own(C.int64_t(n)))
	defer func() { number("with_threads", C.esp_threads_own(C.int64_t(before))) }()
	f()
}

// TrimMemory gives free memory of the C++ heap back to the system.
func TrimMemory() { check("trim_memory", C.esp_memory_trim()) }
