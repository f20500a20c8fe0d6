// The small matrix kernels of recorded programs. kernels.inc is compiled once for each set of instructions; which of them runs
// is asked of libtorch, so that ATEN_CPU_CAPABILITY holds for both.
#pragma once

#include <cstdint>

namespace espalier {

enum class activation { none, relu, gelu, gelu_tanh, silu };

// product is out = activation(a · b + bias) + residual for a [rows, depth] and b [depth, columns], all float32. Rows lie
// apart by the *_step; b is packed; bias and residual may be NULL, and a residual goes with no other activation than relu.
struct product {
  int64_t rows, columns, depth;
  const float *a;
  int64_t a_step;
  const float *b;
  const float *bias;
  activation act;
  const float *residual;
  int64_t residual_step;
  float *out;
  int64_t out_step;
};

// attention is one head: out = softmax(scale · q · kᵀ + mask) · v; mask may be NULL, its steps may be 0.
struct attention {
  int64_t queries, keys, size, value_size;
  const float *q, *k, *v, *mask;
  int64_t q_step, k_step, v_step, mask_step, mask_key_step;
  float scale;
  float *out;
  int64_t out_step;
  float *scratch;
};

struct kernels {
  int64_t width;  // columns of a panel of a packed matrix
  // pack lays b, whose rows and columns lie apart by the steps, out in panels: [panel][depth][width], filled up with zeros.
  void (*pack)(int64_t depth, int64_t columns, const float *b, int64_t depth_step, int64_t column_step, float *out);
  void (*multiply)(const product &);
  void (*attend)(const attention &);
  // norm is that of a layer, or, without centre, of the root mean square; weight and bias may be NULL.
  void (*norm)(int64_t rows, int64_t columns, const float *x, int64_t x_step, const float *weight, const float *bias, float eps,
               bool centre, float *out);
  void (*activate)(int64_t n, const float *x, activation act, float *out);

  int64_t packed(int64_t depth, int64_t columns) const { return (columns + width - 1) / width * width * depth; }
  int64_t attention_scratch(int64_t queries, int64_t keys, int64_t size, int64_t value_size) const {
    return packed(size, keys) + queries * ((keys + width - 1) / width * width) + packed(keys, value_size);
  }
};

const kernels &plain_kernels();
#ifdef ESPALIER_X86
const kernels &avx2_kernels();
const kernels &avx512_kernels();
#endif

}  // namespace espalier
