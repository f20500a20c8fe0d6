// Optimizer steps over lists of tensors.
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "fused.h"
#include "products.h"

using namespace espalier;

namespace {

// are_plain tells whether our kernels can walk through all of the tensors as rows of numbers.
bool are_plain(const std::vector<at::Tensor> &ts) {
  return std::all_of(ts.begin(), ts.end(), [](const at::Tensor &t) { return !t.defined() || (is_plain_float(t) && t.is_contiguous()); });
}

float *numbers(const at::Tensor &t) { return static_cast<float *>(t.mutable_data_ptr()); }

// add adds more, whose tensors may be undefined, to sums, and gives the 2-norm of these: piece by piece, so that threads take equal parts of small
// tensors and of large ones.
double add(const std::vector<at::Tensor> &sums, const std::vector<at::Tensor> &more) {
  constexpr int64_t most = 16 << 10;
  struct piece {
    size_t tensor;
    int64_t from, size;
  };
  std::vector<piece> pieces;
  for (size_t i = 0; i < sums.size(); i++)
    for (int64_t from = 0; from < sums[i].numel(); from += most) pieces.push_back({i, from, std::min(most, sums[i].numel() - from)});
  std::vector<float> squares(pieces.size());
  at::parallel_for(0, pieces.size(), 8, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++) {
      auto [t, from, size] = pieces[i];
      squares[i] = chosen_kernels().add(size, more[t].defined() ? numbers(more[t]) + from : nullptr, numbers(sums[t]) + from);
    }
  });
  return std::sqrt(std::accumulate(squares.begin(), squares.end(), 0.0));
}

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
    *norm = 0;
    const size_t workers = p.empty() ? 0 : std::max<size_t>(1, others.size() / p.size());
    for (size_t worker = 0; worker < workers; worker++) {
      std::vector<at::Tensor> sums, more;
      for (size_t i = 0; i < p.size(); i++) {
        at::Tensor &sum = p[i].mutable_grad(), one;
        if (!others.empty()) one = std::exchange(others[worker * p.size() + i].mutable_grad(), at::Tensor());
        if (one.defined()) check_like(p[i], one, "a worker's gradient");
        if (!sum.defined()) sum = std::exchange(one, at::Tensor());
        if (sum.defined()) sums.push_back(sum), more.push_back(one);
      }
      if (sums.empty()) continue;
      if (are_plain(sums) && are_plain(more)) {
        *norm = add(sums, more);
        continue;
      }
      for (size_t i = 0; i < sums.size(); i++)
        if (more[i].defined()) sums[i].add_(more[i]);
      *norm = at::stack(at::_foreach_norm(sums, 2)).norm().item().toDouble();
    }
  });
}
