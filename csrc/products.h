// Matrix products by kernels of our own.
#pragma once

#include "kernels/kernels.h"

namespace espalier {

// The kernels for what libtorch takes the CPU for.
const kernels &chosen_kernels();

// own_products tells whether those for vectors multiply matrices of float32 faster than libtorch's MKL, which has no kernels for the CPUs of other
// makers than Intel but old ones.
bool own_products();

// operand is a matrix of float32 numbers, whose rows and columns lie apart by the steps.
struct operand {
  const float *data;
  int64_t row, column;
};

// multiply gives out = a · b + bias for a [rows, depth] and b [depth, columns], and where adds is set what there was in out; bias may be NULL.
// The result does not depend on the number of threads.
void multiply(int64_t rows, int64_t columns, int64_t depth, operand a, operand b, const float *bias, float *out, int64_t out_step, bool adds = false);

}  // namespace espalier
