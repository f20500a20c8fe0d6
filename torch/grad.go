package torch

// #include "espalier.h"
import "C"

import "runtime"

// NoGrad calls f with gradients off on this thread.
func NoGrad(f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := C.esp_grad_mode_set(0)
	defer C.esp_grad_mode_set(before)
	f()
}

// Inference is NoGrad without the bookkeeping by which a later gradient would know of views and of writing in place: some
// 10 % faster where operations are small. What is made inside cannot take part in a gradient, ever.
func Inference(f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var mode *C.esp_inference
	check("inference", C.esp_inference_begin(&mode))
	defer C.esp_inference_end(mode)
	f()
}

// GradEnabled tells whether operations of this thread are recorded for Backward.
func GradEnabled() bool { return C.esp_grad_mode_get() != 0 }

// Autocast calls f with matrix products and the like in the given dtype (bfloat16, or float16 on CUDA) on a device.
func Autocast(on Device, d DType, f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := number("autocast", C.esp_autocast_set(C.int32_t(on), C.int32_t(d)))
	// Casted weights are kept meanwhile: they would be stale after the next optimizer step, and of the wrong dtype for
	// another Autocast around or inside this one.
	forget := func() {
		if before != int(d) {
			check("autocast", C.esp_autocast_clear())
		}
	}
	forget()
	defer func() {
		number("autocast", C.esp_autocast_set(C.int32_t(on), C.int32_t(before)))
		forget()
	}()
	f()
}

// RequiresGrad tells whether Backward computes a gradient for t.
func (t *Tensor) RequiresGrad() bool {
	defer runtime.KeepAlive(t)
	return number("requires_grad", C.esp_tensor_requires_grad(t.ptr()), t) != 0
}

// SetRequiresGrad asks for a gradient of the leaf t, or not, and returns t.
func (t *Tensor) SetRequiresGrad(on bool) *Tensor {
	v := C.int32_t(0)
	if on {
		v = 1
	}
	check("requires_grad", C.esp_tensor_requires_grad_set(t.ptr(), v), t)
	return t
}

// Backward adds the gradient of the scalar t to every leaf that requires one.
func (t *Tensor) Backward() { check("backward", C.esp_tensor_backward(t.ptr()), t) }

// Grad is the gradient gathered so far, or nil.
func (t *Tensor) Grad() *Tensor { return finish("grad", C.esp_tensor_grad(t.ptr()), t) }

// SetGrad replaces the gradient, which has the shape, dtype and device of t; nil drops it.
func (t *Tensor) SetGrad(g *Tensor) {
	check("set_grad", C.esp_tensor_grad_set(t.ptr(), g.optional()), t, g)
}
