package torch

// #include "espalier.h"
import "C"

// Sum adds up the given dimensions, or all. The dimensions go; SumKeep leaves them with size 1.
func (t *Tensor) Sum(dims ...int) *Tensor {
	return finish("sum", C.esp_tensor_sum(t.ptr(), ints(dims), 0), t)
}

// SumKeep is Sum with the dimensions left at size 1.
func (t *Tensor) SumKeep(dims ...int) *Tensor {
	return finish("sum", C.esp_tensor_sum(t.ptr(), ints(dims), 1), t)
}

// Mean averages the given dimensions, or all. The dimensions go; MeanKeep leaves them with size 1.
func (t *Tensor) Mean(dims ...int) *Tensor {
	return finish("mean", C.esp_tensor_mean(t.ptr(), ints(dims), 0), t)
}

// MeanKeep is Mean with the dimensions left at size 1.
func (t *Tensor) MeanKeep(dims ...int) *Tensor {
	return finish("mean", C.esp_tensor_mean(t.ptr(), ints(dims), 1), t)
}

// AMax is the largest element over the given dimensions, or all. The dimensions go.
func (t *Tensor) AMax(dims ...int) *Tensor {
	return finish("amax", C.esp_tensor_amax(t.ptr(), ints(dims), 0), t)
}

// ArgMax is the index of the largest element along a dimension, the first of equals.
func (t *Tensor) ArgMax(dim int) *Tensor {
	return finish("argmax", C.esp_tensor_argmax(t.ptr(), C.int64_t(dim)), t)
}

// LogSumExp is log Σ e^t along a dimension, without overflow.
func (t *Tensor) LogSumExp(dim int) *Tensor {
	return finish("logsumexp", C.esp_tensor_logsumexp(t.ptr(), C.int64_t(dim)), t)
}

// CumSum adds up along a dimension, keeping every partial sum.
func (t *Tensor) CumSum(dim int) *Tensor {
	return finish("cumsum", C.esp_tensor_cumsum(t.ptr(), C.int64_t(dim)), t)
}

// All is true when every element is.
func (t *Tensor) All() *Tensor {
	return finish("all", C.esp_tensor_all(t.ptr()), t)
}

// Any is true when one element is.
func (t *Tensor) Any() *Tensor {
	return finish("any", C.esp_tensor_any(t.ptr()), t)
}

// TopK is the k largest elements along a dimension, largest first, and their indices.
func (t *Tensor) TopK(k, dim int) (values, indices *Tensor) {
	var v, i *C.esp_tensor
	s := C.esp_tensor_topk(t.ptr(), C.int64_t(k), C.int64_t(dim), &v, &i)
	check("topk", s, t)
	return adopt(v, s.scope), adopt(i, s.scope)
}
