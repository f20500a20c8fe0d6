// The linear layer with a backward of its own.
#include <ATen/TracerMode.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/functions/utils.h>

#include "fused.h"
#include "products.h"

namespace espalier {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// With fewer rows, packing the weight costs more than the faster product saves.
constexpr int64_t least_rows = 64, least_size = 16;

operand of(const at::Tensor &t) { return {t.const_data_ptr<float>(), t.stride(0), t.stride(1)}; }
operand across(operand m) { return {m.data, m.column, m.row}; }

at::Tensor multiplied(const at::Tensor &x, const at::Tensor &weight, const maybe_tensor &bias) {
  const at::Tensor flat = rows(x);
  auto sizes = x.sizes().vec();
  sizes.back() = weight.size(0);
  at::Tensor out = at::empty(sizes, x.options());
  multiply(flat.size(0), weight.size(0), weight.size(1), of(flat), across(of(weight)), bias ? bias->const_data_ptr<float>() : nullptr,
           out.data_ptr<float>(), weight.size(0));
  return out;
}

struct linear_node : torch::autograd::Function<linear_node> {
  static at::Tensor forward(AutogradContext *c, const at::Tensor &x, const at::Tensor &weight, const maybe_tensor &bias) {
    // What no gradient asks for is not kept: x where the weight is frozen.
    c->save_for_backward({weight.requires_grad() ? x : at::Tensor(), x.requires_grad() ? weight : at::Tensor()});
    c->saved_data["biased"] = bias.has_value();
    return multiplied(x, weight, bias);
  }

  static variable_list backward(AutogradContext *c, const variable_list &grads) {
    variable_list result(3);
    if (!grads[0].defined()) return result;
    auto saved = c->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], given = rows(grads[0]);
    const int64_t n = given.size(0), out = given.size(1);
    if (weight.defined() && c->needs_input_grad(0)) {
      const int64_t in = weight.size(1);
      auto sizes = grads[0].sizes().vec();
      sizes.back() = in;
      result[0] = at::empty(sizes, given.options());
      multiply(n, in, out, of(given), of(weight), nullptr, result[0].data_ptr<float>(), in);
    }
    if (x.defined() && c->needs_input_grad(1)) {
      const int64_t in = x.size(-1);
      result[1] = at::empty({out, in}, given.options());
      multiply(out, in, n, across(of(given)), of(rows(x)), nullptr, result[1].data_ptr<float>(), in);
    }
    if (c->saved_data["biased"].toBool() && c->needs_input_grad(2)) {
      result[2] = at::empty({out}, given.options());
      chosen_kernels().sum_columns(n, out, given.const_data_ptr<float>(), given.stride(0), result[2].data_ptr<float>());
    }
    return result;
  }
};

}  // namespace

at::Tensor rows(const at::Tensor &t) {
  at::Tensor flat = t.reshape({-1, t.size(-1)});
  return flat.stride(1) == 1 && flat.stride(0) >= flat.size(1) ? flat : flat.contiguous();
}

bool is_plain_float(const at::Tensor &t) { return t.scalar_type() == at::kFloat && t.is_cpu() && t.layout() == at::kStrided && !t.is_neg(); }

bool can_fuse() { return &chosen_kernels() != &plain_kernels() && !at::tracer::impl::is_dispatch_enabled(); }

bool can_fuse_linear(const at::Tensor &x, const at::Tensor &weight, const maybe_tensor &bias) {
  return can_fuse() && own_products() && is_plain_float(x) && is_plain_float(weight) && (!bias || (is_plain_float(*bias) && bias->is_contiguous())) &&
         x.dim() > 1 && weight.dim() == 2 && x.size(-1) == weight.size(1) && (!bias || bias->sizes() == weight.sizes().slice(0, 1)) &&
         weight.size(0) >= least_size && weight.size(1) >= least_size && x.numel() / weight.size(1) >= least_rows;
}

at::Tensor fused_linear(const at::Tensor &x, const at::Tensor &weight, const maybe_tensor &bias) {
  if (torch::autograd::compute_requires_grad(x, weight, bias)) return linear_node::apply(x, weight, bias);
  return multiplied(x, weight, bias);
}

}  // namespace espalier
