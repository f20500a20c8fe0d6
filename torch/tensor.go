package torch

// #include "espalier.h"
import "C"

import (
	"fmt"
	"runtime"
	"unsafe"
)

// Tensor is a libtorch tensor. It is not safe for use by several goroutines at once.
type Tensor struct {
	c       *C.esp_tensor
	scope   *Scope
	cleanup *runtime.Cleanup
	name    *string
	index   int32 // within scope.own
	kept    bool
	lent    bool // to a hook: never freed through this handle
}

// finish turns a result into a tensor, or panics with the operation's error. A NULL result is nil.
func finish(op string, r C.esp_result, operands ...*Tensor) *Tensor {
	if r.error != nil {
		raise(op, r.error, operands...)
	}
	if r.tensor == nil {
		return nil
	}
	return adopt(r.tensor, r.scope)
}

// ptr is the handle for a call that needs the tensor.
func (t *Tensor) ptr() *C.esp_tensor {
	if t == nil {
		misuse("use", KindMisuse, "the tensor is nil; is it a gradient that was never computed?")
	}
	if t.c == nil {
		misuse("use", KindMisuse, "the tensor "+t.Name()+" was freed; keep it with Scope.Keep")
	}
	return t.c
}

// optional is ptr where nil, which becomes NULL, means absent.
func (t *Tensor) optional() *C.esp_tensor {
	if t == nil {
		return nil
	}
	return t.ptr()
}

// ints lends a shape to a call.
func ints(v []int) C.esp_ints {
	if len(v) == 0 {
		return C.esp_ints{}
	}
	return C.esp_ints{data: (*C.int64_t)(unsafe.Pointer(&v[0])), count: C.int64_t(len(v))}
}

// handles collects the C handles of tensors for a call on lists.
func handles(ts []*Tensor) []*C.esp_tensor {
	out := make([]*C.esp_tensor, len(ts))
	for i, t := range ts {
		out[i] = t.ptr()
	}
	return out
}

func list(hs []*C.esp_tensor) C.esp_tensors {
	if len(hs) == 0 {
		return C.esp_tensors{}
	}
	return C.esp_tensors{data: (**C.esp_tensor)(unsafe.Pointer(&hs[0])), count: C.int64_t(len(hs))}
}

// Named gives t a name for error messages, such as its parameter's, and returns t.
func (t *Tensor) Named(name string) *Tensor {
	t.name = &name
	return t
}

// Name is the name given by Named, or "".
func (t *Tensor) Name() string {
	if t == nil || t.name == nil {
		return ""
	}
	return *t.name
}

// Rank is the number of dimensions.
func (t *Tensor) Rank() int {
	defer runtime.KeepAlive(t) // or the collector might free the tensor during the call
	return number("rank", C.esp_tensor_rank(t.ptr()))
}

// Shape is the size of each dimension.
func (t *Tensor) Shape() []int {
	shape := make([]int, t.Rank())
	if len(shape) > 0 {
		check("shape", C.esp_tensor_shape(t.ptr(), (*C.int64_t)(unsafe.Pointer(&shape[0]))))
	}
	runtime.KeepAlive(t)
	return shape
}

// Size is the size of one dimension; a negative one counts from the end.
func (t *Tensor) Size(dim int) int {
	defer runtime.KeepAlive(t)
	return number("size", C.esp_tensor_size(t.ptr(), C.int64_t(dim)), t)
}

// Count is the number of elements.
func (t *Tensor) Count() int {
	defer runtime.KeepAlive(t)
	return number("count", C.esp_tensor_count(t.ptr()))
}

// Bytes is the number of elements times the size of one. An expanded tensor may have more than an int counts.
func (t *Tensor) Bytes() int {
	d := t.DType()
	if d.Size() == 0 {
		misuse("bytes", KindType, fmt.Sprintf("Espalier does not compute with dtype %v", d), t)
	}
	n, ok := bytesOf([]int{t.Count()}, d)
	if !ok {
		misuse("bytes", KindMemory, "more bytes than an int counts", t)
	}
	return n
}

// DType is the type of the elements.
func (t *Tensor) DType() DType {
	defer runtime.KeepAlive(t)
	return DType(number("dtype", C.esp_tensor_dtype(t.ptr())))
}

// Device is where the elements lie.
func (t *Tensor) Device() Device {
	defer runtime.KeepAlive(t)
	return Device(number("device", C.esp_tensor_device(t.ptr())))
}

// IsContiguous tells whether the elements lie in row-major order without gaps.
func (t *Tensor) IsContiguous() bool {
	defer runtime.KeepAlive(t)
	return number("is_contiguous", C.esp_tensor_is_contiguous(t.ptr()), t) != 0
}

// DataPointer is the address of the first element, for interoperation. It is valid while t lives.
func (t *Tensor) DataPointer() unsafe.Pointer {
	var p unsafe.Pointer
	check("data_pointer", C.esp_tensor_data(t.ptr(), &p), t)
	return p
}

// Item is the value of a tensor with one element.
func (t *Tensor) Item() float64 {
	var v C.double
	check("item", C.esp_tensor_item(t.ptr(), &v), t)
	return float64(v)
}

// String shows shape, dtype and device, not the elements.
func (t *Tensor) String() string {
	if t == nil || t.c == nil {
		return "torch.Tensor(none)"
	}
	return fmt.Sprintf("torch.Tensor(%v %v %v)", t.Shape(), t.DType(), t.Device())
}

// Values copies the elements to a Go slice in row-major order. The element type must be the one of t's dtype.
func Values[T Element](t *Tensor) []T {
	if want := dtypeOf[T](); t.DType() != want {
		misuse("values", KindType, fmt.Sprintf("dtype is %v, %v asked for", t.DType(), want), t)
	}
	return read[T](t, t.Count())
}

// read copies the elements to n values of a Go type. Go cannot recover from an allocation that fails, so libtorch lays out
// first what takes more memory than the tensor has.
func read[T any](t *Tensor, n int) []T {
	bytes := t.Bytes()
	if !t.IsContiguous() {
		t = t.Contiguous()
		defer t.Free()
	}
	out := make([]T, n)
	if n > 0 {
		check("values", C.esp_tensor_read(t.ptr(), unsafe.Pointer(&out[0]), C.int64_t(bytes)), t)
	}
	return out
}

// Floats copies the elements of a tensor of any dtype, as float64.
func (t *Tensor) Floats() []float64 {
	if t.DType() == Float64 {
		return Values[float64](t)
	}
	detached := t.Detach()
	defer detached.Free()
	converted := detached.To(Float64)
	defer converted.Free()
	return Values[float64](converted)
}

// Raw copies the elements' bytes in row-major order, little-endian.
func (t *Tensor) Raw() []byte { return read[byte](t, t.Bytes()) }
