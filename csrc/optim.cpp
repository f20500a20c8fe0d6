// Optimizer steps over lists of tensors.
#include <ATen/Parallel.h>

#include <cmath>

#include "internal.h"
#include "products.h"

using namespace espalier;

namespace {

// piece is a part of the numbers of one tensor of a list.
struct piece {
  size_t tensor;
  int64_t from, size;
};

// pieces divides lists like this one, so that threads take equal parts of small tensors and of large ones.
std::vector<piece> pieces(const std::vector<at::Tensor> &ts) {
  constexpr int64_t most = 16 << 10;
  std::vector<piece> all;
  for (size_t i = 0; i < ts.size(); i++)
    for (int64_t from = 0; from < ts[i].numel(); from += most) all.push_back({i, from, std::min(most, ts[i].numel() - from)});
  return all;
}

template <class F>
void each(const std::vector<piece> &all, F f) {
  at::parallel_for(0, all.size(), 8, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++) f(i);
  });
}

// plain tells whether our kernels can walk through the tensors as rows of numbers.
bool plain(const std::vector<at::Tensor> &ts) {
  for (const at::Tensor &t : ts)
    if (t.defined() && !(t.is_cpu() && t.scalar_type() == at::kFloat && t.is_contiguous() && !t.is_neg())) return false;
  return true;
}

float *numbers(const at::Tensor &t) { return static_cast<float *>(t.mutable_data_ptr()); }

}  // namespace

esp_status esp_adamw_step(esp_tensors params, esp_tensors grads, esp_tensors m, esp_tensors v, esp_tensors steps,
                          double scale, double lr, double beta1, double beta2, double eps, double weight_decay) {
  return guard([&] {
    c10::NoGradGuard no_grad;
    auto p = list(params), g = list(grads), first = list(m), second = list(v), counts = list(steps);
    // libtorch's fused kernel checks none of this, and reads what is shorter past its end.
    for (const auto *l : {&g, &first, &second, &counts})
      TORCH_CHECK(l->size() == p.size(), "lists of ", l->size(), " and of ", p.size(), " tensors: give one of each for every parameter");
    for (size_t i = 0; i < p.size(); i++) {
      TORCH_CHECK_TYPE(p[i].is_floating_point(), "parameter ", i, " is ", p[i].scalar_type(), ": only floats are optimized");
      for (auto &[l, what] : {std::pair(&g, "a gradient"), {&first, "a first moment"}, {&second, "a second moment"}}) check_like(p[i], (*l)[i], what);
      for (const auto *l : {&p, &first, &second})
        TORCH_CHECK((*l)[i].is_non_overlapping_and_dense(), "parameter ", i, " or a moment of it has gaps between its elements");
      if (g[i].strides() != p[i].strides()) g[i] = at::empty_like(p[i]).copy_(g[i]);  // the kernel pairs elements by their place in memory
      TORCH_CHECK(counts[i].dim() == 0 && counts[i].scalar_type() == at::kFloat && counts[i].device() == p[i].device(),
                  "steps are float32 scalars beside their parameters, and one is ", counts[i].sizes(), " ", counts[i].scalar_type(), " on ",
                  counts[i].device());
    }
    at::_foreach_add_(counts, 1);
    if (scale != 1) at::_foreach_mul_(g, scale);
    at::_fused_adamw_(p, g, first, second, {}, counts, lr, beta1, beta2, weight_decay, eps, /*amsgrad=*/false, /*maximize=*/false);
    // The fused kernel does not count as a write, and recorded programs would go on with the old values.
    for (const at::Tensor &t : p)
      if (!t.is_inference()) t.unsafeGetTensorImpl()->bump_version();
  });
}

esp_status esp_grads_gather(esp_tensors params, esp_tensors beside, double *norm) {
  return guard([&] {
    c10::NoGradGuard no_grad;
    auto p = list(params), others = list(beside);
    TORCH_CHECK(p.empty() ? others.empty() : others.size() % p.size() == 0, others.size(), " parameters beside ", p.size(), ": each worker has as many");
    std::vector<at::Tensor> sums, more;
    for (size_t first = 0; first == 0 || first < others.size(); first += p.size()) {
      sums.clear(), more.clear();
      for (size_t i = 0; i < p.size(); i++) {
        at::Tensor &sum = p[i].mutable_grad(), one;
        if (!others.empty()) one = std::exchange(others[first + i].mutable_grad(), at::Tensor());
        if (sum.defined() && one.defined()) {
          check_like(sum, one, "a worker's gradient");
        } else if (one.defined()) {
          check_like(p[i], one, "a worker's gradient");
          sum = std::exchange(one, at::Tensor());
        }
        if (sum.defined()) sums.push_back(sum), more.push_back(one);
      }
      if (sums.empty()) {
        *norm = 0;
        continue;
      }
      if (!plain(sums) || !plain(more)) {
        for (size_t i = 0; i < sums.size(); i++)
          if (more[i].defined()) sums[i].add_(more[i]);
        *norm = at::stack(at::_foreach_norm(sums, 2)).norm().item().toDouble();
        continue;
      }
      auto all = pieces(sums);
      std::vector<float> squares(all.size());
      each(all, [&](int64_t i) {
        auto [t, from, size] = all[i];
        squares[i] = chosen_kernels().add(size, more[t].defined() ? numbers(more[t]) + from : nullptr, numbers(sums[t]) + from);
      });
      double total = 0;
      for (float s : squares) total += s;
      *norm = std::sqrt(total);
    }
  });
}
