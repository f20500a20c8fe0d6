package torch

import "math"

// leastRow is the least number of elements in a row for which int8 is worth its scale.
const leastRow = 4

// Int8Rows is in how many rows a weight of this shape is held as int8: its output channels or its tokens, the first axis that is longer
// than 1. It is 0 for what stays as it is: vectors, and rows so short that their scales would take as much.
func Int8Rows(shape []int) int {
	rows, row := 1, 1
	for _, n := range shape {
		if rows == 1 && row == 1 {
			rows = n
		} else {
			row *= n
		}
	}
	if row < leastRow {
		return 0
	}
	return rows
}

// ToInt8 rounds each row of a tensor of floats to whole multiples of its scale, from −127 to 127 (int8, in t's shape; float32, one for each row;
// both on the CPU). The scale is the row's largest value / 127, rounded up to 17 bits: each multiple is then a float32 without rounding, so that
// values that were read back give the same integers and scales. Rows below 1e-30 become zeros.
func (t *Tensor) ToInt8() (whole, scales *Tensor) {
	shape := t.Shape()
	rows := Int8Rows(shape)
	values := Values[float32](t.Detach().To(Float32))
	q, by := make([]int8, len(values)), make([]float32, rows)
	n := len(values) / max(1, rows)
	for r := range rows {
		row := values[r*n : (r+1)*n]
		largest := 0.
		for _, v := range row {
			largest = max(largest, math.Abs(float64(v)))
		}
		if largest < 1e-30 {
			continue
		}
		by[r] = upTo17Bits(float32(largest) / 127)
		for i, v := range row {
			q[r*n+i] = int8(math.Round(float64(v) / float64(by[r])))
		}
	}
	return From(q, CPU, shape...), From(by, CPU, rows)
}

// FromInt8 is the float32 tensor that integers and the scales of their rows stand for.
func FromInt8(whole, scales *Tensor, on Device) *Tensor {
	q, by := Values[int8](whole), Values[float32](scales)
	out := make([]float32, len(q))
	n := len(q) / max(1, len(by))
	for i, v := range q {
		out[i] = float32(v) * by[i/max(1, n)]
	}
	return From(out, on, whole.Shape()...)
}

func upTo17Bits(x float32) float32 {
	const below = 1<<7 - 1 // the bits of the mantissa behind the 17th
	bits := math.Float32bits(x)
	if bits&below != 0 {
		bits = (bits | below) + 1
	}
	return math.Float32frombits(bits)
}
