// Package gotorch passes tensors to and from github.com/wangkuiyi/gotorch without copying: both sides then see the same
// elements, gradient and graph.
//
// # Who frees
//
// Each side has a handle of its own, and the elements live as long as one of the two. What [From] returns is freed as
// every tensor of package torch: by its scope, by Free, or by the collector. What [To] returns has gotorch's finalizer:
// gotorch has no other way to free, so it goes when Go's collector finds it unreachable. gotorch.GC waits for it when
// gotorch is inside of its own training loop (between gotorch.GC and gotorch.FinishGC) on this thread.
//
// gotorch does not keep a tensor alive while C++ works on it, except in its layers: should Go's collector run then, the
// last use of a tensor reads freed memory. A program is safe that lets the collector work between steps only:
// debug.SetGCPercent(-1), and runtime.GC or gotorch.GC after some of them. Its Optimizer has a finalizer and a Close; both
// free, so Close must not be called.
//
// # Linking
//
// A program that imports this package links gotorch's C++ library, build/lib/libcgotorch.so, which `make gotorch`
// builds from the module's source. Nothing else needs it; without it this package compiles but does not link.
package gotorch

// gotorch's own #cgo lines point into Go's read-only module cache. These give the linker the folders where its
// -lcgotorch, -ltorch (which make gotorch answers with a linker script without CUDA), -lc10 and -ltorch_cpu lie.

// #cgo LDFLAGS: -L${SRCDIR}/../../build/lib -Wl,-rpath,${SRCDIR}/../../build/lib
// #cgo LDFLAGS: -L${SRCDIR}/../../build/libtorch -Wl,-rpath,${SRCDIR}/../../build/libtorch
import "C"

import (
	"runtime"
	"unsafe"

	"github.com/wangkuiyi/gotorch"

	"espalier/torch"
)

// To is t for gotorch. It stays valid when t is freed.
func To(t *torch.Tensor) gotorch.Tensor {
	at := new(unsafe.Pointer)
	*at = t.Export()
	gotorch.SetTensorFinalizer(at)
	return gotorch.Tensor{T: at}
}

// From is g for package torch, or nil where g holds none, such as the gradient of a tensor that has none. It stays valid
// when gotorch frees g.
func From(g gotorch.Tensor) *torch.Tensor {
	if g.T == nil || *g.T == nil {
		return nil
	}
	defer runtime.KeepAlive(g.T)
	return torch.Import(*g.T)
}
