package torch

// #include "espalier.h"
import "C"

import "runtime"

// Linear is t·weightᵀ + bias: [..., in] with weight [out, in] and bias [out] or nil gives [..., out].
func (t *Tensor) Linear(weight, bias *Tensor) *Tensor {
	return finish("linear", C.esp_tensor_linear(t.ptr(), weight.ptr(), bias.optional()), t, weight, bias)
}

// LayerNorm normalises the last dimension to mean 0 and (biased) variance 1, then scales and shifts.
func (t *Tensor) LayerNorm(weight, bias *Tensor, eps float64) *Tensor {
	return finish("layer_norm", C.esp_tensor_layer_norm(t.ptr(), weight.ptr(), bias.optional(), C.double(eps)), t, weight, bias)
}

// Conv2D convolves pictures [batch, in, height, width] with weight [out, in, kernel, kernel], unpadded.
func (t *Tensor) Conv2D(weight, bias *Tensor, stride int) *Tensor {
	return finish("conv2d", C.esp_tensor_conv2d(t.ptr(), weight.ptr(), bias.optional(), C.int64_t(stride)), t, weight, bias)
}

// ReLU is max(t, 0).
func (t *Tensor) ReLU() *Tensor {
	return finish("relu", C.esp_tensor_relu(t.ptr()), t)
}

// SiLU is t · sigmoid(t).
func (t *Tensor) SiLU() *Tensor {
	return finish("silu", C.esp_tensor_silu(t.ptr()), t)
}

// Softplus is log(1 + e^t).
func (t *Tensor) Softplus() *Tensor {
	return finish("softplus", C.esp_tensor_softplus(t.ptr()), t)
}

// Softmax is e^t over its sum along a dimension.
func (t *Tensor) Softmax(dim int) *Tensor {
	return finish("softmax", C.esp_tensor_softmax(t.ptr(), C.int64_t(dim)), t)
}

// LogSoftmax is the logarithm of Softmax.
func (t *Tensor) LogSoftmax(dim int) *Tensor {
	return finish("log_softmax", C.esp_tensor_log_softmax(t.ptr(), C.int64_t(dim)), t)
}

// CrossEntropy is the mean of -log softmax(t)[target] for logits [n, classes] and int64 targets [n].
func (t *Tensor) CrossEntropy(targets *Tensor) *Tensor {
	return finish("cross_entropy", C.esp_tensor_cross_entropy(t.ptr(), targets.ptr()), t, targets)
}

// GELU is x·Φ(x); the tanh form is the approximation that T5 calls gelu_new.
func (t *Tensor) GELU(tanhForm bool) *Tensor {
	form := C.int32_t(0)
	if tanhForm {
		form = 1
	}
	return finish("gelu", C.esp_tensor_gelu(t.ptr(), form), t)
}

// Embedding picks rows of a table [rows, width] by int64 ids of any shape: [...] gives [..., width].
func Embedding(table, ids *Tensor) *Tensor {
	return finish("embedding", C.esp_tensor_embedding(table.ptr(), ids.ptr()), table, ids)
}

// ScaledDotProductAttention is softmax(scale·q·kᵀ + mask)·v for q, k, v [batch, heads, tokens, head size]. The mask is
// nil, bool (true is seen) or added to the scores, and is broadcast to [batch, heads, queries, keys].
func ScaledDotProductAttention(q, k, v, mask *Tensor, scale float64) *Tensor {
	return finish("attention", C.esp_tensor_attention(q.ptr(), k.ptr(), v.ptr(), mask.optional(), C.double(scale)), q, k, v, mask)
}

// SelfAttention is [ScaledDotProductAttention] without a mask for queries, keys and values of the same size that lie one behind the
// other in x [batch, tokens, 3·heads·size]; it gives [batch, tokens, heads·size].
func SelfAttention(x *Tensor, heads int, scale float64) *Tensor {
	return finish("self_attention", C.esp_tensor_self_attention(x.ptr(), C.int64_t(heads), C.double(scale)), x)
}

// ProjectedAttention is [ScaledDotProductAttention] of x [batch, tokens, width] to itself: weights [heads·size, width] and biases, or none,
// make queries, keys and values of it. It gives [batch, tokens, heads·size of the values].
func ProjectedAttention(x *Tensor, weights [3]*Tensor, biases []*Tensor, mask *Tensor, heads int, scale float64) *Tensor {
	out := finish("projected_attention", C.esp_tensor_projected_attention(x.ptr(), list(handles(weights[:])), list(handles(biases)), mask.optional(),
		C.int64_t(heads), C.double(scale)), x, weights[0], weights[1], weights[2], mask)
	runtime.KeepAlive(biases)
	return out
}
