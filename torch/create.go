package torch

// #include "espalier.h"
import "C"

import (
	"fmt"
	"math"
	"unsafe"
)

// Empty has elements of no defined value.
func Empty(shape []int, d DType, on Device) *Tensor {
	return finish("empty", C.esp_tensor_empty(ints(shape), C.int32_t(d), C.int32_t(on)))
}

// Full has the same value everywhere.
func Full(shape []int, value float64, d DType, on Device) *Tensor {
	return finish("full", C.esp_tensor_full(ints(shape), C.double(value), C.int32_t(d), C.int32_t(on)))
}

// Zeros is Full of 0.
func Zeros(shape []int, d DType, on Device) *Tensor { return Full(shape, 0, d, on) }

// Ones is Full of 1.
func Ones(shape []int, d DType, on Device) *Tensor { return Full(shape, 1, d, on) }

// Arange counts from, from+1, … up to but without to, as int64.
func Arange(from, to int, on Device) *Tensor {
	return finish("arange", C.esp_tensor_arange(C.int64_t(from), C.int64_t(to), C.int32_t(on)))
}

// Places counts 0, 1, … along a dimension of t, as int64. In a trace, its length is that of the dimension there.
func (t *Tensor) Places(dim int) *Tensor {
	return finish("places", C.esp_tensor_places(t.ptr(), C.int64_t(dim)), t)
}

// From copies a Go slice in row-major order to a new tensor; its length must fit the shape.
func From[T Element](data []T, on Device, shape ...int) *Tensor {
	d := dtypeOf[T]()
	if len(shape) == 0 {
		shape = []int{len(data)}
	}
	var p unsafe.Pointer
	if len(data) > 0 {
		p = unsafe.Pointer(&data[0])
	}
	return FromPointer(p, len(data)*d.Size(), d, on, shape...)
}

// FromInts is From for Go's int, as int64.
func FromInts(data []int, on Device, shape ...int) *Tensor {
	return From(unsafe.Slice((*int64)(unsafe.Pointer(unsafe.SliceData(data))), len(data)), on, shape...)
}

// FromBytes copies little-endian elements, such as those of a checkpoint, to a new tensor of libtorch's own, aligned memory.
func FromBytes(data []byte, d DType, on Device, shape ...int) *Tensor {
	return FromPointer(unsafe.Pointer(unsafe.SliceData(data)), len(data), d, on, shape...)
}

// FromPointer copies bytes from an address to a new tensor.
func FromPointer(p unsafe.Pointer, bytes int, d DType, on Device, shape ...int) *Tensor {
	switch want, ok := bytesOf(shape, d); {
	case !ok:
		misuse("from", KindMisuse, fmt.Sprintf("there is no tensor of shape %v and dtype %v", shape, d))
	case want != bytes:
		misuse("from", KindMisuse, fmt.Sprintf("shape %v of %v needs %d bytes, %d given", shape, d, want, bytes))
	case p == nil && bytes > 0:
		misuse("from", KindMisuse, fmt.Sprintf("%d bytes at a nil pointer", bytes))
	}
	return finish("from", C.esp_tensor_from(p, C.int64_t(bytes), ints(shape), C.int32_t(d), C.int32_t(on)))
}

// Borrow makes a CPU tensor over memory of others, without copying. The memory must outlive the tensor and every view.
func Borrow(p unsafe.Pointer, d DType, shape ...int) *Tensor {
	if bytes, ok := bytesOf(shape, d); !ok || p == nil && bytes > 0 {
		misuse("borrow", KindMisuse, fmt.Sprintf("there is no tensor of shape %v and dtype %v at %v", shape, d, p))
	}
	return finish("borrow", C.esp_tensor_borrow(p, ints(shape), C.int32_t(d)))
}

// bytesOf is how many bytes the elements of a tensor take, and whether there can be such a tensor.
func bytesOf(shape []int, d DType) (n int, ok bool) {
	n, ok = d.Size(), d.Size() > 0
	for _, size := range shape {
		if size < 0 || size > 0 && n > math.MaxInt/size {
			return 0, false
		}
		n *= size
	}
	return n, ok
}

// To converts the elements to another dtype; t itself comes back, as a second handle, when it has it already.
func (t *Tensor) To(d DType) *Tensor {
	return finish("to", C.esp_tensor_to_dtype(t.ptr(), C.int32_t(d)), t)
}

// ToDevice copies to a device; t itself comes back, as a second handle, when it is there already.
func (t *Tensor) ToDevice(on Device) *Tensor {
	return finish("to", C.esp_tensor_to_device(t.ptr(), C.int32_t(on)), t)
}

// Clone copies the elements to new memory, in row-major order.
func (t *Tensor) Clone() *Tensor { return finish("clone", C.esp_tensor_clone(t.ptr()), t) }

// Detach shares the elements but not the graph.
func (t *Tensor) Detach() *Tensor { return finish("detach", C.esp_tensor_detach(t.ptr()), t) }
