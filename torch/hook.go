package torch

/*
#include <stdlib.h>
#include "espalier.h"
extern esp_hook_answer espGoHook(uintptr_t handle, esp_tensor *grad);
extern void espGoHookRelease(uintptr_t handle);
static void install_callbacks(void) { esp_hook_callbacks(espGoHook, espGoHookRelease); }
*/
import "C"

import (
	"runtime"
	"runtime/cgo"
)

func init() { C.install_callbacks() }

// Hook is an installed gradient hook.
type Hook struct {
	t        *Tensor
	position C.uint32_t
}

// RegisterHook calls f with the gradient of t in every Backward that computes it; what f returns replaces the gradient,
// nil leaves it. The gradient is borrowed: it must not be used after f returns. A panic or runtime.Goexit in f becomes the
// error of Backward. On CUDA, f runs on a thread of autograd's own.
func (t *Tensor) RegisterHook(f func(grad *Tensor) *Tensor) *Hook {
	h, c := &Hook{t: t}, t.ptr()
	if f == nil {
		misuse("register_hook", KindMisuse, "the function is nil", t)
	}
	handle := cgo.NewHandle(f) // released by the library, also when it fails
	check("register_hook", C.esp_tensor_hook(c, C.uintptr_t(handle), &h.position), t)
	return h
}

// Remove takes the hook off its tensor.
func (h *Hook) Remove() { check("remove_hook", C.esp_tensor_hook_remove(h.t.ptr(), h.position), h.t) }

//export espGoHook
func espGoHook(handle C.uintptr_t, grad *C.esp_tensor) C.esp_hook_answer {
	borrowed := &Tensor{c: grad, lent: true}
	defer func() { borrowed.c = nil }()
	return callback("gradient hook", func() *C.esp_tensor {
		replaced := cgo.Handle(handle).Value().(func(*Tensor) *Tensor)(borrowed)
		if replaced == nil || replaced == borrowed {
			return nil
		}
		return replaced.given("hook")
	})
}

// given is a second handle to t, which C++ takes; t itself stays its scope's.
func (t *Tensor) given(op string) *C.esp_tensor {
	r := C.esp_tensor_alias(t.ptr())
	if r.error != nil {
		raise(op, r.error, t)
	}
	runtime.KeepAlive(t)
	return r.tensor
}

//export espGoHookRelease
func espGoHookRelease(handle C.uintptr_t) { cgo.Handle(handle).Delete() }

// Fold says what an [Accumulator] makes of a gradient g of a weight w, element by element, before summing.
type Fold int32

// The folds.
const (
	FoldGradAbs   Fold = C.ESP_FOLD_GRAD_ABS   // |g|
	FoldTaylorAbs Fold = C.ESP_FOLD_TAYLOR_ABS // |g·w|
	FoldTaylor    Fold = C.ESP_FOLD_TAYLOR     // g·w with its sign
)

// Accumulator gathers the folded gradients of one leaf while backward runs.
type Accumulator struct {
	c    *C.esp_accumulator
	leaf *Tensor
}

// AccumulateGrad installs a hook that, in each Backward, folds the gradient of the leaf t into one small vector for
// each dimension (summed over the others) and drops the gradient at once: memory is needed for one gradient at a time
// and O(channels). A weight used in several places fires once, with the sum. t.Grad stays nil; it must be nil before.
func AccumulateGrad(t *Tensor, mode Fold) *Accumulator {
	a := &Accumulator{leaf: t}
	check("accumulate_grad", C.esp_accumulator_new(t.ptr(), C.int32_t(mode), &a.c), t)
	return a
}

// Take returns the float64 sums along a dimension of the leaf, [size of dim], and starts them again from zero.
func (a *Accumulator) Take(dim int) *Tensor {
	if a.c == nil {
		misuse("accumulator", KindMisuse, "the accumulator is closed", a.leaf)
	}
	return finish("accumulator", C.esp_accumulator_take(a.c, C.int64_t(dim)), a.leaf)
}

// Close removes the hook and frees the sums.
func (a *Accumulator) Close() {
	if a.c != nil {
		c := a.c
		a.c = nil
		check("accumulator", C.esp_accumulator_free(c), a.leaf)
	}
}
