// The small matrix kernels of recorded programs and of training (../fused.h). kernels.inc is compiled once for each set of instructions; which of them runs
// is asked of libtorch, so that ATEN_CPU_CAPABILITY holds for both.
#pragma once

#include <cstdint>

namespace espalier {

enum class activation { none, relu, gelu, gelu_tanh, silu };

// product is out = activation(a · b + bias) + residual for a [rows, depth] and b [depth, columns], all float32. Rows lie
// apart by the *_step, the columns of a by a_depth_step, so that a may be transposed; bias and residual may be
// NULL, and a residual goes with no other activation than relu. The residual may be out itself. b is packed, or, with a b_step, rows of
// whole panels as they lie in memory.
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
  int64_t a_depth_step = 1;
  int64_t b_step = 0;
};

// attention is one head: out = softmax(scale · q · kᵀ + mask) · v; mask may be NULL, its steps may be 0. A query that
// may see no key gives zeros, as libtorch's does.
struct attention {
  int64_t queries, keys, size, value_size;
  const float *q, *k, *v, *mask;
  int64_t q_step, k_step, v_step, mask_step, mask_key_step;
  float scale;
  float *out;
  int64_t out_step;
  float *scratch;
};

// attention_gradients are those of q, k and v for the gradient d_out of out; that itself is not read. Where adds is set, those of k and v
// are added to what is there: a caller may divide the queries.
struct attention_gradients {
  const float *d_out;
  int64_t d_out_step;
  float *dq, *dk, *dv;
  int64_t dq_step, dk_step, dv_step;
  bool adds;
};

// norm_gradients are those of a layer norm's x, for the gradient d_out of what it gives. Those of its weight and bias are added to;
// bias may be NULL.
struct norm_gradients {
  const float *d_out;
  int64_t d_out_step;
  float *dx, *d_weight, *d_bias;
};

// adamw is a step of AdamW (Loshchilov and Hutter, 2019) with the corrections of the moments worked in: of the weights go
// shrink · weights + rate · m / (√v · correction + eps).
struct adamw {
  float scale;                        // of the gradients
  float beta2, one_less1, one_less2;  // 1 − the betas, which lose digits when they are taken from floats
  float shrink;                       // 1 − shrink would round all weights in the same direction
  float rate, correction, eps;
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
  void (*attend_back)(const attention &, const attention_gradients &);
  void (*norm_back)(int64_t rows, int64_t columns, const float *x, int64_t x_step, const float *weight, float eps, const norm_gradients &);
  // gelu_back is the gradient of x for the gradient given of what one of GELU's forms makes of it.
  void (*gelu_back)(int64_t n, const float *x, activation form, const float *given, float *out);
  // sum_columns adds the rows of x up.
  void (*sum_columns)(int64_t rows, int64_t columns, const float *x, int64_t x_step, float *out);
  // gather copies n of x's rows, one behind the other; scatter adds such rows to those of out. Rows are so many columns wide.
  void (*gather)(int64_t n, const int64_t *rows, int64_t columns, const float *x, int64_t x_step, float *out);
  void (*scatter)(int64_t n, const int64_t *rows, int64_t columns, const float *x, float *out, int64_t out_step);
  // add adds x, which may be NULL, to out and gives the sum of its squares.
  float (*add)(int64_t n, const float *x, float *out);
  void (*step)(const adamw &, int64_t n, const float *gradient, float *weights, float *first, float *second);

  int64_t whole(int64_t columns) const { return (columns + width - 1) / width * width; }
  int64_t packed(int64_t depth, int64_t columns) const { return whole(columns) * depth; }
  int64_t attention_scratch(int64_t queries, int64_t keys, int64_t size, int64_t value_size) const {
    return packed(size, keys) + queries * whole(keys) + packed(keys, value_size);
  }
  int64_t attention_back_scratch(int64_t queries, int64_t keys, int64_t size, int64_t value_size) const {
    return packed(size, keys) + packed(value_size, keys) + packed(keys, size) + packed(queries, size) + packed(queries, value_size) +
           2 * queries * whole(keys);
  }
};

const kernels &plain_kernels();
#ifdef ESPALIER_X86
const kernels &avx2_kernels();
const kernels &avx512_kernels();
#endif

}  // namespace espalier
