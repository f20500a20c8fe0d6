#include "products.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/core/CPUAllocator.h>

#include <algorithm>
#include <string>

namespace espalier {

const kernels &chosen_kernels() {
#ifdef ESPALIER_X86
  static const std::string capability = at::get_cpu_capability();
  if (capability == "AVX512") return avx512_kernels();
  if (capability == "AVX2") return avx2_kernels();
#endif
  return plain_kernels();
}

bool own_products() {
#ifdef ESPALIER_X86
  return !__builtin_cpu_is("intel");
#else
  return false;
#endif
}

namespace {

constexpr int64_t piece = 64 << 10;  // floats of b that are packed at once: 256 KiB, which leaves room in a core's cache

int64_t parts(int64_t n, int64_t most) { return std::max<int64_t>(1, (n + most - 1) / most); }

// stretch is the i-th of so many, as even as they go in multiples of step.
struct stretch {
  int64_t begin, size;
  stretch(int64_t n, int64_t parts, int64_t i, int64_t step = 1) {
    int64_t steps = (n + step - 1) / step;
    begin = i * steps / parts * step;
    size = std::min(n, (i + 1) * steps / parts * step) - begin;
  }
};

}  // namespace

void multiply(int64_t rows, int64_t columns, int64_t depth, operand a, operand b, const float *bias, float *out, int64_t out_step, bool adds) {
  const kernels &k = chosen_kernels();
  // Of a transposed a, a tile reads part of a cache line from each row: few rows at a time stay in the cache until their next tile.
  const int64_t depths = parts(depth, a.column == 1 ? 4096 : 512), deepest = parts(depth, depths);
  const int64_t panels = parts(columns, k.width), each = std::max<int64_t>(2, piece / (deepest * k.width));
  const int64_t across = parts(panels, each), threads = at::get_num_threads();
  const int64_t down = across >= threads ? 1 : std::min(parts(threads, across), parts(rows, 64));
  at::parallel_for(0, across * down, 1, [&](int64_t first, int64_t last) {
    for (int64_t task = first; task < last; task++) {
      const stretch c(columns, across, task / down, k.width), r(rows, down, task % down);
      if (c.size <= 0 || r.size <= 0) continue;
      auto packed = c10::GetCPUAllocator()->allocate(k.packed(deepest, c.size) * sizeof(float));
      auto *panel = static_cast<float *>(packed.get());
      float *to = out + r.begin * out_step + c.begin;
      for (int64_t i = 0; i < depths; i++) {
        const stretch d(depth, depths, i);
        k.pack(d.size, c.size, b.data + d.begin * b.row + c.begin * b.column, b.row, b.column, panel);
        const float *so_far = i || adds ? to : nullptr;
        k.multiply({r.size, c.size, d.size, a.data + r.begin * a.row + d.begin * a.column, a.row, panel, bias && !i ? bias + c.begin : nullptr,
                    activation::none, so_far, out_step, to, out_step, a.column});
      }
    }
  });
}

}  // namespace espalier
