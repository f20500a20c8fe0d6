package torch

// #include "espalier.h"
import "C"

import "math"

// Add is t + u, broadcast.
func (t *Tensor) Add(u *Tensor) *Tensor {
	return finish("add", C.esp_tensor_add(t.ptr(), u.ptr()), t, u)
}

// Sub is t - u, broadcast.
func (t *Tensor) Sub(u *Tensor) *Tensor {
	return finish("sub", C.esp_tensor_sub(t.ptr(), u.ptr()), t, u)
}

// Mul is t · u element by element, broadcast.
func (t *Tensor) Mul(u *Tensor) *Tensor {
	return finish("mul", C.esp_tensor_mul(t.ptr(), u.ptr()), t, u)
}

// Div is t / u, broadcast.
func (t *Tensor) Div(u *Tensor) *Tensor {
	return finish("div", C.esp_tensor_div(t.ptr(), u.ptr()), t, u)
}

// Minimum is the smaller of t and u, element by element.
func (t *Tensor) Minimum(u *Tensor) *Tensor {
	return finish("minimum", C.esp_tensor_minimum(t.ptr(), u.ptr()), t, u)
}

// MatMul is the matrix product over the last two dimensions, [..., n, k] × [..., k, m].
func (t *Tensor) MatMul(u *Tensor) *Tensor {
	return finish("matmul", C.esp_tensor_matmul(t.ptr(), u.ptr()), t, u)
}

// Eq is true where t = u.
func (t *Tensor) Eq(u *Tensor) *Tensor {
	return finish("eq", C.esp_tensor_eq(t.ptr(), u.ptr()), t, u)
}

// Le is true where t ≤ u.
func (t *Tensor) Le(u *Tensor) *Tensor {
	return finish("le", C.esp_tensor_le(t.ptr(), u.ptr()), t, u)
}

// And is true where both are.
func (t *Tensor) And(u *Tensor) *Tensor {
	return finish("logical_and", C.esp_tensor_logical_and(t.ptr(), u.ptr()), t, u)
}

// Or is true where either is.
func (t *Tensor) Or(u *Tensor) *Tensor {
	return finish("logical_or", C.esp_tensor_logical_or(t.ptr(), u.ptr()), t, u)
}

// AddScalar is t + v.
func (t *Tensor) AddScalar(v float64) *Tensor {
	return finish("add_scalar", C.esp_tensor_add_scalar(t.ptr(), C.double(v)), t)
}

// MulScalar is t · v.
func (t *Tensor) MulScalar(v float64) *Tensor {
	return finish("mul_scalar", C.esp_tensor_mul_scalar(t.ptr(), C.double(v)), t)
}

// EqScalar is true where t = v.
func (t *Tensor) EqScalar(v float64) *Tensor {
	return finish("eq_scalar", C.esp_tensor_eq_scalar(t.ptr(), C.double(v)), t)
}

// LtScalar is true where t < v.
func (t *Tensor) LtScalar(v float64) *Tensor {
	return finish("lt_scalar", C.esp_tensor_lt_scalar(t.ptr(), C.double(v)), t)
}

// GtScalar is true where t > v.
func (t *Tensor) GtScalar(v float64) *Tensor {
	return finish("gt_scalar", C.esp_tensor_gt_scalar(t.ptr(), C.double(v)), t)
}

// ClampMin is t, and v where t is smaller.
func (t *Tensor) ClampMin(v float64) *Tensor {
	return finish("clamp_min", C.esp_tensor_clamp_min(t.ptr(), C.double(v)), t)
}

// Neg is -t.
func (t *Tensor) Neg() *Tensor {
	return finish("neg", C.esp_tensor_neg(t.ptr()), t)
}

// Abs is |t|.
func (t *Tensor) Abs() *Tensor {
	return finish("abs", C.esp_tensor_abs(t.ptr()), t)
}

// Exp is e to the power t.
func (t *Tensor) Exp() *Tensor {
	return finish("exp", C.esp_tensor_exp(t.ptr()), t)
}

// Log is the natural logarithm.
func (t *Tensor) Log() *Tensor {
	return finish("log", C.esp_tensor_log(t.ptr()), t)
}

// Sqrt is the square root.
func (t *Tensor) Sqrt() *Tensor {
	return finish("sqrt", C.esp_tensor_sqrt(t.ptr()), t)
}

// Rsqrt is 1 / √t.
func (t *Tensor) Rsqrt() *Tensor {
	return finish("rsqrt", C.esp_tensor_rsqrt(t.ptr()), t)
}

// Cos is the cosine of t in radians.
func (t *Tensor) Cos() *Tensor {
	return finish("cos", C.esp_tensor_cos(t.ptr()), t)
}

// Sin is the sine of t in radians.
func (t *Tensor) Sin() *Tensor {
	return finish("sin", C.esp_tensor_sin(t.ptr()), t)
}

// AllFinite tells whether no element is infinite or not a number. It waits for the device.
func (t *Tensor) AllFinite() bool {
	t = t.Detach()
	if sum := t.Sum().Item(); !math.IsInf(sum, 0) && !math.IsNaN(sum) { // one reading, and no memory for an answer for each element
		return true
	}
	return t.IsFinite().All().Item() != 0 // the sum may have been too large
}

// IsFinite is false where t is infinite or not a number.
func (t *Tensor) IsFinite() *Tensor {
	return finish("isfinite", C.esp_tensor_isfinite(t.ptr()), t)
}

// Not is true where t is false or 0.
func (t *Tensor) Not() *Tensor {
	return finish("logical_not", C.esp_tensor_logical_not(t.ptr()), t)
}

// CopyFrom writes the elements of u, broadcast and converted, into t and returns t.
func (t *Tensor) CopyFrom(u *Tensor) *Tensor {
	check("copy_", C.esp_tensor_copy_(t.ptr(), u.ptr()), t, u)
	return t
}

// Fill writes v everywhere and returns t.
func (t *Tensor) Fill(v float64) *Tensor {
	check("fill_", C.esp_tensor_fill_(t.ptr(), C.double(v)), t)
	return t
}
