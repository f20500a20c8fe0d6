package torch

// #include "espalier.h"
import "C"

// IndexSelect picks entries of a dimension by an int64 list.
func (t *Tensor) IndexSelect(dim int, index *Tensor) *Tensor {
	return finish("index_select", C.esp_tensor_index_select(t.ptr(), C.int64_t(dim), index.ptr()), t, index)
}

// Gather picks along a dimension, with one index for each result element.
func (t *Tensor) Gather(dim int, index *Tensor) *Tensor {
	return finish("gather", C.esp_tensor_gather(t.ptr(), C.int64_t(dim), index.ptr()), t, index)
}

// Scatter is t with v at the indexed places of a dimension.
func (t *Tensor) Scatter(dim int, index *Tensor, v float64) *Tensor {
	return finish("scatter", C.esp_tensor_scatter(t.ptr(), C.int64_t(dim), index.ptr(), C.double(v)), t, index)
}

// IndexCopy is t with the listed entries of a dimension replaced by source's.
func (t *Tensor) IndexCopy(dim int, index, source *Tensor) *Tensor {
	return finish("index_copy", C.esp_tensor_index_copy(t.ptr(), C.int64_t(dim), index.ptr(), source.ptr()), t, index, source)
}

// MaskedFill is t with v where the bool mask is true.
func (t *Tensor) MaskedFill(mask *Tensor, v float64) *Tensor {
	return finish("masked_fill", C.esp_tensor_masked_fill(t.ptr(), mask.ptr(), C.double(v)), t, mask)
}

// MaskedScatter is t with the elements of source, in order, where the bool mask is true.
func (t *Tensor) MaskedScatter(mask, source *Tensor) *Tensor {
	return finish("masked_scatter", C.esp_tensor_masked_scatter(t.ptr(), mask.ptr(), source.ptr()), t, mask, source)
}

// Where is a where the bool condition is true, else b.
func Where(condition, a, b *Tensor) *Tensor {
	return finish("where", C.esp_tensor_where(condition.ptr(), a.ptr(), b.ptr()), condition, a, b)
}
