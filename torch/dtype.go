package torch

import "fmt"

// DType is the type of a tensor's elements; the numbers are libtorch's.
type DType int8

// The element types.
const (
	Uint8    DType = 0
	Int8     DType = 1
	Int16    DType = 2
	Int32    DType = 3
	Int64    DType = 4
	Float16  DType = 5
	Float32  DType = 6
	Float64  DType = 7
	Bool     DType = 11
	BFloat16 DType = 15
)

// otherDTypes are libtorch's types that Espalier does not compute with: they have a name, and no size.
var otherDTypes = map[DType]string{
	8: "complex32", 9: "complex64", 10: "complex128", 12: "qint8", 13: "quint8", 14: "qint32", 16: "quint4x2", 17: "quint2x4",
	23: "float8_e5m2", 24: "float8_e4m3fn", 25: "float8_e5m2fnuz", 26: "float8_e4m3fnuz", 27: "uint16", 28: "uint32", 29: "uint64", 44: "float8_e8m0fnu",
}

var dtypes = map[DType]struct {
	name string
	size int
}{
	Uint8: {"uint8", 1}, Int8: {"int8", 1}, Int16: {"int16", 2}, Int32: {"int32", 4}, Int64: {"int64", 8},
	Float16: {"float16", 2}, Float32: {"float32", 4}, Float64: {"float64", 8}, Bool: {"bool", 1}, BFloat16: {"bfloat16", 2},
}

func (d DType) String() string {
	if i, ok := dtypes[d]; ok {
		return i.name
	}
	if name, ok := otherDTypes[d]; ok {
		return name
	}
	return fmt.Sprintf("dtype(%d)", int8(d))
}

// Size is the number of bytes of one element.
func (d DType) Size() int { return dtypes[d].size }

// IsFloat tells whether gradients can flow through the type.
func (d DType) IsFloat() bool {
	return d == Float16 || d == Float32 || d == Float64 || d == BFloat16
}

// IsHalf tells whether an element takes two bytes: too few digits for the steps of an optimizer.
func (d DType) IsHalf() bool { return d == Float16 || d == BFloat16 }

// Element is a Go type with a tensor dtype of the same layout.
type Element interface {
	uint8 | int8 | int16 | int32 | int64 | float32 | float64 | bool
}

func dtypeOf[T Element]() DType {
	var zero T
	switch any(zero).(type) {
	case uint8:
		return Uint8
	case int8:
		return Int8
	case int16:
		return Int16
	case int32:
		return Int32
	case int64:
		return Int64
	case float32:
		return Float32
	case float64:
		return Float64
	}
	return Bool
}
