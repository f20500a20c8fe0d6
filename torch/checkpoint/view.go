package checkpoint

import (
	"fmt"

	"espalier/torch"
)

// element is a type of tensors' elements. libtorch has more of them than Espalier: those are listed, but not loaded.
type element struct {
	name  string
	dtype torch.DType // libtorch's number; -1 is none
	size  int64
}

// elements are known by PyTorch's names of the types, storageElements by those of the storages.
var elements, storageElements = func() (map[string]element, map[string]element) {
	byType, byStorage := map[string]element{}, map[string]element{}
	for _, e := range []struct {
		storage string
		element
	}{
		{"ByteStorage", element{"uint8", torch.Uint8, 1}},
		{"CharStorage", element{"int8", torch.Int8, 1}},
		{"ShortStorage", element{"int16", torch.Int16, 2}},
		{"IntStorage", element{"int32", torch.Int32, 4}},
		{"LongStorage", element{"int64", torch.Int64, 8}},
		{"HalfStorage", element{"float16", torch.Float16, 2}},
		{"FloatStorage", element{"float32", torch.Float32, 4}},
		{"DoubleStorage", element{"float64", torch.Float64, 8}},
		{"BoolStorage", element{"bool", torch.Bool, 1}},
		{"BFloat16Storage", element{"bfloat16", torch.BFloat16, 2}},
		{"ComplexFloatStorage", element{"complex64", 9, 8}},
		{"ComplexDoubleStorage", element{"complex128", 10, 16}},
		{"QInt8Storage", element{"qint8", 12, 1}},
		{"QUInt8Storage", element{"quint8", 13, 1}},
		{"QInt32Storage", element{"qint32", 14, 4}},
		{"QUInt4x2Storage", element{"quint4x2", 16, 1}},
		{"QUInt2x4Storage", element{"quint2x4", 17, 1}},
		{"UntypedStorage", element{"bytes", -1, 1}},
		{"", element{"complex32", 8, 4}},
		{"", element{"float8_e5m2", 23, 1}},
		{"", element{"float8_e4m3fn", 24, 1}},
		{"", element{"float8_e5m2fnuz", 25, 1}},
		{"", element{"float8_e4m3fnuz", 26, 1}},
		{"", element{"uint16", 27, 2}},
		{"", element{"uint32", 28, 4}},
		{"", element{"uint64", 29, 8}},
	} {
		byType[e.name] = e.element
		if e.storage != "" {
			byStorage[e.storage] = e.element
		}
	}
	return byType, byStorage
}()

// storage is a run of bytes in a record, as the pickle promises it.
type storage struct {
	element element
	offset  int64 // bytes into the record
	bytes   int64
	record  *record
}

// view is a tensor: a shape over a storage.
type view struct {
	storage *storage
	element element
	offset  int64 // in elements
	shape   []int
	strides []int64
	fault   string // why it cannot be loaded
}

const maxDims = 64 // libtorch's limit

// check makes sure that every element lies within the storage and that the tensor, which may repeat elements, stays below
// a limit in bytes: nothing was allocated before.
func (v *view) check(limit int64) error {
	if v.storage == nil {
		return nil
	}
	held, count, last, empty := v.storage.bytes/v.element.size, int64(1), v.offset, false
	if v.offset < 0 || v.offset > held {
		return fmt.Errorf("offset %d lies outside a storage of %d elements", v.offset, held)
	}
	for i, n := range v.shape {
		stride := v.strides[i]
		switch {
		case n < 0 || stride < 0:
			return fmt.Errorf("impossible shape %v with strides %v", v.shape, v.strides)
		case n == 0:
			empty = true
		case stride > 0 && int64(n-1) > (held-last)/stride:
			last = held // outside, unless another dimension is empty
		default:
			last += int64(n-1) * stride
		}
	}
	if empty {
		return nil
	}
	if last >= held {
		return fmt.Errorf("shape %v with strides %v from element %d on reaches beyond a storage of %d elements",
			v.shape, v.strides, v.offset, held)
	}
	for _, n := range v.shape {
		if count > limit/v.element.size/int64(n) {
			return fmt.Errorf("shape %v repeats its %d elements beyond all measure", v.shape, held)
		}
		count *= int64(n)
	}
	return nil
}

func (v *view) count() int64 {
	n := int64(1)
	for _, size := range v.shape {
		n *= int64(size)
	}
	return n
}

func (v *view) bytes() int64 { return v.count() * v.element.size }

// span is the number of bytes from the first element to the last.
func (v *view) span() int64 {
	last := int64(0)
	for i, n := range v.shape {
		if n == 0 {
			return 0
		}
		last += int64(n-1) * v.strides[i]
	}
	return (last + 1) * v.element.size
}

// inOrder tells whether the elements lie one behind the other, row by row.
func (v *view) inOrder() bool {
	return v.runs() == len(v.shape) || v.count() == 0
}

// runs is the number of trailing dimensions whose elements lie one behind the other.
func (v *view) runs() int {
	want := int64(1)
	for i := len(v.shape) - 1; i >= 0; i-- {
		if v.shape[i] != 1 && v.strides[i] != want {
			return len(v.shape) - 1 - i
		}
		want *= int64(v.shape[i])
	}
	return len(v.shape)
}

// gather copies the elements, which start at from[0], to row-major order.
func (v *view) gather(from []byte) []byte {
	out := make([]byte, 0, v.bytes())
	outer := len(v.shape) - v.runs()
	run := v.element.size
	for _, n := range v.shape[outer:] {
		run *= int64(n)
	}
	var walk func(dim int, at int64)
	walk = func(dim int, at int64) {
		if dim == outer {
			out = append(out, from[at:at+run]...)
			return
		}
		for i := range int64(v.shape[dim]) {
			walk(dim+1, at+i*v.strides[dim]*v.element.size)
		}
	}
	walk(0, 0)
	return out
}
