// The layer norm with a backward of its own.
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/functions/utils.h>

#include "fused.h"
#include "products.h"

namespace espalier {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// The gradients of weight and bias are sums over so many rows, and sums of these: the same for any number of threads.
constexpr int64_t rows_at_once = 64;

// each gives f parts of the rows.
template <class F>
void each(int64_t rows, F f) {
  const int64_t parts = (rows + rows_at_once - 1) / rows_at_once;
  at::parallel_for(0, parts, 4, [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; i++) f(i, i * rows_at_once, std::min(rows_at_once, rows - i * rows_at_once));
  });
}

at::Tensor normed(const at::Tensor &x, const at::Tensor &weight, const maybe_tensor &bias, double eps) {
  const at::Tensor flat = rows(x), out = at::empty(x.sizes(), x.options());
  const int64_t columns = flat.size(1), step = flat.stride(0);
  const float *from = flat.const_data_ptr<float>(), *w = weight.const_data_ptr<float>(), *b = bias ? bias->const_data_ptr<float>() : nullptr;
  float *to = out.data_ptr<float>();
  each(flat.size(0), [&](int64_t, int64_t first, int64_t n) {
    chosen_kernels().norm(n, columns, from + first * step, step, w, b, static_cast<float>(eps), /*centre=*/true, to + first * columns);
  });
  return out;
}

struct norm_node : torch::autograd::Function<norm_node> {
  static at::Tensor forward(AutogradContext *c, const at::Tensor &x, const at::Tensor &weight, const maybe_tensor &bias, double eps) {
    c->save_for_backward({x, weight});
    c->saved_data["biased"] = bias.has_value();
    c->saved_data["eps"] = eps;
    return normed(x, weight, bias, eps);
  }

  static variable_list backward(AutogradContext *c, const variable_list &grads) {
    variable_list result(4);
    if (!grads[0].defined()) return result;
    auto saved = c->get_saved_variables();
    const at::Tensor x = rows(saved[0]), &weight = saved[1], given = rows(grads[0]);
    const int64_t n = x.size(0), columns = x.size(1);
    const bool biased = c->saved_data["biased"].toBool();
    at::Tensor dx = at::empty(saved[0].sizes(), x.options());
    at::Tensor sums = at::zeros({(n + rows_at_once - 1) / rows_at_once, 1 + biased, columns}, x.options());
    const float *from = x.const_data_ptr<float>(), *by = weight.const_data_ptr<float>(), *change = given.const_data_ptr<float>();
    float *to = dx.data_ptr<float>(), *sum = sums.data_ptr<float>();
    const auto eps = static_cast<float>(c->saved_data["eps"].toDouble());
    each(n, [&](int64_t part, int64_t first, int64_t count) {
      float *own = sum + part * sums.stride(0);
      chosen_kernels().norm_back(count, columns, from + first * x.stride(0), x.stride(0), by, eps,
                                 {change + first * given.stride(0), given.stride(0), to + first * columns, own, biased ? own + columns : nullptr});
    });
    sums = sums.sum(0);
    result[0] = dx;
    result[1] = sums[0];
    if (biased) result[2] = sums[1];
    return result;
  }
};

}  // namespace

bool can_fuse_norm(const at::Tensor &x, const maybe_tensor &weight, const maybe_tensor &bias) {
  auto fits = [&](const at::Tensor &t) { return is_plain_float(t) && t.is_contiguous() && t.dim() == 1 && t.size(0) == x.size(-1); };
  return can_fuse() && is_plain_float(x) && x.dim() > 0 && x.numel() > 0 && weight && fits(*weight) && (!bias || fits(*bias));
}

at::Tensor fused_norm(const at::Tensor &x, const at::Tensor &weight, const maybe_tensor &bias, double eps) {
  if (torch::autograd::compute_requires_grad(x, weight, bias)) return norm_node::apply(x, weight, bias, eps);
  return normed(x, weight, bias, eps);
}

}  // namespace espalier
