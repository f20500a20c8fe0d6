// Operations on the CPU whose forward and backward are ours: fewer passes over memory than libtorch's, by the kernels of recorded programs.
// Each says whether it can do what is asked; libtorch's does the rest.
#pragma once

#include <array>

#include "internal.h"

namespace espalier {

// is_plain_float tells whether the kernels can read a tensor: float32 numbers in the host's memory.
bool is_plain_float(const at::Tensor &t);
// can_fuse tells whether there are kernels of ours for this CPU, and no trace of libtorch's operations is being recorded.
bool can_fuse();

// rows is a tensor [..., size] as [rows, size], whose rows lie in one piece each.
at::Tensor rows(const at::Tensor &t);

// fused_linear is x · weightᵀ + bias of float32, or of halves that are widened: it keeps halves, and rounds where libtorch's does.
bool can_fuse_linear(const at::Tensor &x, const at::Tensor &weight, const maybe_tensor &bias);
at::Tensor fused_linear(const at::Tensor &x, const at::Tensor &weight, const maybe_tensor &bias);

// widens tells whether products of a dtype are computed in float32 on this CPU, since libtorch would multiply number by number: oneDNN has products of
// bfloat16 for CPUs with AVX-512 alone, and of float16 for those that have instructions for it.
bool widens(at::ScalarType d);

// multiplies tells whether linear layers of a dtype are multiplied by kernels of ours on this CPU.
bool multiplies(at::ScalarType d);

// projections are the linear layers of an attention's queries, keys and values.
struct projections {
  std::array<at::Tensor, 3> weights;
  std::array<maybe_tensor, 3> biases;
};

// fused_projections gives what the three make of x, one behind the other.
bool can_fuse_projections(const at::Tensor &x, const projections &p);
at::Tensor fused_projections(const at::Tensor &x, const projections &p);

// fused_norm is the layer norm of float32 over the last dimension.
bool can_fuse_norm(const at::Tensor &x, const maybe_tensor &weight, const maybe_tensor &bias);
at::Tensor fused_norm(const at::Tensor &x, const at::Tensor &weight, const maybe_tensor &bias, double eps);

// fused_gelu is GELU of float32.
bool can_fuse_gelu(const at::Tensor &x);
at::Tensor fused_gelu(const at::Tensor &x, bool tanh_form);

// can_read tells whether the kernels can read an attention's mask, for weights of some sizes.
bool can_read(const maybe_tensor &mask, at::IntArrayRef weights);

// fused_attention is softmax(scale · q · kᵀ + mask) · v of float32 [batch, heads, tokens, size].
bool can_fuse_attention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const maybe_tensor &mask);
at::Tensor fused_attention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const maybe_tensor &mask, double scale);

// fused_self_attention is the same of a projection [batch, tokens, query, key and value]; it gives [batch, tokens, heads · size].
bool can_fuse_self_attention(const at::Tensor &x, int64_t heads, const maybe_tensor &mask);
at::Tensor fused_self_attention(const at::Tensor &x, int64_t heads, const maybe_tensor &mask, double scale);

}  // namespace espalier
