package torch

// #include "espalier.h"
import "C"

// Reshape gives the elements another shape; one size may be -1.
func (t *Tensor) Reshape(shape ...int) *Tensor {
	return finish("reshape", C.esp_tensor_reshape(t.ptr(), ints(shape)), t)
}

// Flatten joins the dimensions from … to into one.
func (t *Tensor) Flatten(from, to int) *Tensor {
	return finish("flatten", C.esp_tensor_flatten(t.ptr(), C.int64_t(from), C.int64_t(to)), t)
}

// Unflatten splits one dimension into several; one size may be -1.
func (t *Tensor) Unflatten(dim int, sizes ...int) *Tensor {
	return finish("unflatten", C.esp_tensor_unflatten(t.ptr(), C.int64_t(dim), ints(sizes)), t)
}

// Transpose swaps two dimensions.
func (t *Tensor) Transpose(a, b int) *Tensor {
	return finish("transpose", C.esp_tensor_transpose(t.ptr(), C.int64_t(a), C.int64_t(b)), t)
}

// Permute reorders the dimensions.
func (t *Tensor) Permute(dims ...int) *Tensor {
	return finish("permute", C.esp_tensor_permute(t.ptr(), ints(dims)), t)
}

// Unsqueeze inserts a dimension of size 1.
func (t *Tensor) Unsqueeze(dim int) *Tensor {
	return finish("unsqueeze", C.esp_tensor_unsqueeze(t.ptr(), C.int64_t(dim)), t)
}

// Squeeze removes a dimension of size 1.
func (t *Tensor) Squeeze(dim int) *Tensor {
	return finish("squeeze", C.esp_tensor_squeeze(t.ptr(), C.int64_t(dim)), t)
}

// Expand repeats dimensions of size 1 without copying; -1 keeps a size.
func (t *Tensor) Expand(shape ...int) *Tensor {
	return finish("expand", C.esp_tensor_expand(t.ptr(), ints(shape)), t)
}

// ExpandFirst repeats dimension 0, of size 1, as often as like has entries there, without copying.
func (t *Tensor) ExpandFirst(like *Tensor) *Tensor {
	return finish("expand_first", C.esp_tensor_expand_first(t.ptr(), like.ptr()), t, like)
}

// RepeatInterleave repeats each entry of a dimension.
func (t *Tensor) RepeatInterleave(times, dim int) *Tensor {
	return finish("repeat_interleave", C.esp_tensor_repeat_interleave(t.ptr(), C.int64_t(times), C.int64_t(dim)), t)
}

// Narrow is a view of count entries of a dimension.
func (t *Tensor) Narrow(dim, from, count int) *Tensor {
	return finish("narrow", C.esp_tensor_narrow(t.ptr(), C.int64_t(dim), C.int64_t(from), C.int64_t(count)), t)
}

// Slice is a view of the entries from … to, without to; negative ones count from the end.
func (t *Tensor) Slice(dim, from, to int) *Tensor {
	return finish("slice", C.esp_tensor_slice(t.ptr(), C.int64_t(dim), C.int64_t(from), C.int64_t(to)), t)
}

// Select is the view of one entry of a dimension, which goes; -1 is the last.
func (t *Tensor) Select(dim, index int) *Tensor {
	return finish("select", C.esp_tensor_select(t.ptr(), C.int64_t(dim), C.int64_t(index)), t)
}

// Contiguous lays the elements out in row-major order, copying only when needed.
func (t *Tensor) Contiguous() *Tensor {
	return finish("contiguous", C.esp_tensor_contiguous(t.ptr()), t)
}

// Cat joins tensors along a dimension.
func Cat(dim int, ts ...*Tensor) *Tensor {
	return finish("cat", C.esp_tensors_cat(list(handles(ts)), C.int64_t(dim)), ts...)
}
