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

// piece is a part of the numbers of one tensor of a list.
struct piece {
  size_t tensor;
  int64_t from, size;
};

// pieces divides tensors, so that threads take equal parts of small ones and of large ones.
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
    for (int64_t i = first; i < last; i++) f(i, all[i]);
  });
}

// add adds more, whose tensors may be undefined, to sums, and gives the 2-norm of these.
double add(const std::vector<at::Tensor> &sums, const std::vector<at::Tensor> &more) {
  const auto all = pieces(sums);
  std::vector<float> squares(all.size());
  each(all, [&](int64_t i, const piece &p) {
    const at::Tensor &beside = more[p.tensor];
    squares[i] = chosen_kernels().add(p.size, beside.defined() ? numbers(beside) + p.from : nullptr, numbers(sums[p.tensor]) + p.from);
  });
  return std::sqrt(std::accumulate(squares.begin(), squares.end(), 0.0));
}

// lists are those of a step of AdamW.
struct lists {
  std::vector<at::Tensor> params, grads, first, second, counts;
};

void adamw_step(const lists &l, double scale, double lr, double beta1, double beta2, double eps, double weight_decay) {
  std::vector<adamw> by;
  for (const at::Tensor &count : l.counts) {
    const double n = count.item<float>();
    by.push_back({float(scale), float(beta2), float(1 - beta1), float(1 - beta2), float(lr * weight_decay), float(lr / (1 - std::pow(beta1, n))),
                  float(1 / std::sqrt(1 - std::pow(beta2, n))), float(eps)});
  }
  each(pieces(l.params), [&](int64_t, const piece &p) {
    auto at = [&](const std::vector<at::Tensor> &ts) { return numbers(ts[p.tensor]) + p.from; };
    chosen_kernels().step(by[p.tensor], p.size, at(l.grads), at(l.params), at(l.first), at(l.second));
  });
}

}  // namespace

esp_status esp_adamw_step(esp_tensors params, esp_tensors grads, esp_tensors m, esp_tensors v, esp_tensors steps,
                          double scale, double lr, double beta1, double beta2, double eps, double weight_decay) {
  return guard([&] {
    c10::NoGradGuard no_grad;
    lists l{list(params), list(grads), list(m), list(v), list(steps)};
    const auto &p = l.params;
    // The kernels check none of this, and read what is shorter past its end.
    for (const auto *ts : {&l.grads, &l.first, &l.second, &l.counts})
      TORCH_CHECK(ts->size() == p.size(), "lists of ", ts->size(), " and of ", p.size(), " tensors: give one of each for every parameter");
    for (size_t i = 0; i < p.size(); i++) {
      TORCH_CHECK_TYPE(p[i].is_floating_point(), "parameter ", i, " is ", p[i].scalar_type(), ": only floats are optimized");
      for (auto &[ts, what] : {std::pair(&l.grads, "a gradient"), {&l.first, "a first moment"}, {&l.second, "a second moment"}}) check_like(p[i], (*ts)[i], what);
      for (const auto *ts : {&l.params, &l.first, &l.second})
        TORCH_CHECK((*ts)[i].is_non_overlapping_and_dense(), "parameter ", i, " or a moment of it has gaps between its elements");
      if (l.grads[i].strides() != p[i].strides()) l.grads[i] = at::empty_like(p[i]).copy_(l.grads[i]);  // the kernels pair elements by their place in memory
      const at::Tensor &count = l.counts[i];
      TORCH_CHECK(count.dim() == 0 && count.scalar_type() == at::kFloat && count.device() == p[i].device(),
                  "steps are float32 scalars beside their parameters, and one is ", count.sizes(), " ", count.scalar_type(), " on ", count.device());
    }
    at::_foreach_add_(l.counts, 1);
    if (are_plain(p) && are_plain(l.grads) && are_plain(l.first) && are_plain(l.second)) {
      adamw_step(l, scale, lr, beta1, beta2, eps, weight_decay);
    } else {
      if (scale != 1) at::_foreach_mul_(l.grads, scale);
      at::_fused_adamw_(p, l.grads, l.first, l.second, {}, l.counts, lr, beta1, beta2, weight_decay, eps, /*amsgrad=*/false, /*maximize=*/false);
    }
    // Neither counts as a write, and recorded programs would go on with the old values.
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
