// Where the elements of a value lie in a recorded program.
#pragma once

#include <ATen/ATen.h>

#include <array>
#include <optional>
#include <vector>

namespace espalier {

using extents = std::vector<int64_t>;

constexpr int most_dims = 8;

// place is a strided view of a buffer.
struct place {
  int buffer = -1;
  int64_t offset = 0;
  extents sizes, strides;
  bool integers = false;

  int64_t count() const { return c10::multiply_integers(sizes); }
};

inline extents contiguous_strides(const extents &sizes) {
  extents strides(sizes.size());
  int64_t step = 1;
  for (size_t i = sizes.size(); i-- > 0; step *= std::max<int64_t>(1, sizes[i])) strides[i] = step;
  return strides;
}

// matrix is a place as rows that lie apart by one step.
struct matrix {
  int64_t rows, columns, step;
};

inline std::optional<matrix> as_matrix(const place &p) {
  if (p.sizes.empty() || (p.strides.back() != 1 && p.sizes.back() != 1)) return std::nullopt;
  matrix m{1, p.sizes.back(), p.sizes.back()};
  for (size_t i = p.sizes.size() - 1; i-- > 0;) {
    if (p.sizes[i] == 1) continue;
    if (m.rows == 1)
      m.step = p.strides[i];
    else if (p.strides[i] != m.step * m.rows)
      return std::nullopt;
    m.rows *= p.sizes[i];
  }
  return m;
}

// walk calls f with the offsets of N operands at each run: of the last dimension, and of those before it that lie behind one another in all operands.
template <size_t N>
struct walk {
  int dims = 0;  // with the runs'
  int64_t sizes[most_dims] = {}, steps[N][most_dims] = {};  // the runs' first
  int64_t run = 1, run_step[N] = {};

  walk(const extents &of, const std::array<extents, N> &strides) {
    TORCH_CHECK(of.size() <= most_dims, "a tensor of ", of.size(), " dimensions");
    for (size_t i = of.size(); i-- > 0;) {
      if (of[i] == 1) continue;
      bool goes_on = dims > 0;
      for (size_t n = 0; n < N; n++) goes_on = goes_on && strides[n][i] == steps[n][dims - 1] * sizes[dims - 1];
      if (goes_on) {
        sizes[dims - 1] *= of[i];
        continue;
      }
      sizes[dims] = of[i];
      for (size_t n = 0; n < N; n++) steps[n][dims] = strides[n][i];
      dims++;
    }
    if (!dims) return;
    run = sizes[0];
    for (size_t n = 0; n < N; n++) run_step[n] = steps[n][0];
  }

  template <class F>
  void each(F &&f) const {
    int64_t at[most_dims] = {}, offset[N] = {};
    const int64_t runs = dims > 1 ? sizes[1] : 1;
    for (;;) {
      for (int64_t i = 0; i < runs; i++) {
        f(offset);
        for (size_t n = 0; n < N; n++) offset[n] += steps[n][1];
      }
      for (size_t n = 0; n < N; n++) offset[n] -= steps[n][1] * runs;
      int d = 2;
      for (; d < dims; d++) {
        for (size_t n = 0; n < N; n++) offset[n] += steps[n][d];
        if (++at[d] < sizes[d]) break;
        for (size_t n = 0; n < N; n++) offset[n] -= steps[n][d] * sizes[d];
        at[d] = 0;
      }
      if (d >= dims) return;
    }
  }
};

}  // namespace espalier
