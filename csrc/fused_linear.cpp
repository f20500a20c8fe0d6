// The linear layer with a backward of its own.
#include <ATen/TracerMode.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/functions/utils.h>

#ifdef ESPALIER_X86
#include <cpuid.h>
#endif

#include <algorithm>

#include "fused.h"
#include "products.h"

namespace espalier {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// With fewer rows, packing the weight costs more than the faster product saves.
constexpr int64_t least_rows = 64, least_size = 16;
constexpr int64_t least_half_rows = 8;  // of fewer rows of halves libtorch's kernels for vectors are quick too

constexpr int64_t at_once = 4 << 20;  // numbers of a large weight of halves, 16 MiB in float32

operand of(const at::Tensor &t) { return {t.const_data_ptr<float>(), t.stride(0), t.stride(1)}; }
operand across(operand m) { return {m.data, m.column, m.row}; }

at::Tensor to(const at::Tensor &t, at::ScalarType d) { return t.scalar_type() == d ? t : t.to(d); }
at::Tensor wide(const at::Tensor &t) { return to(t, at::kFloat); }

// each gives f a matrix in float32: from which row on, and the rows from there. Of halves only some are widened at a time.
template <class F>
void each(const at::Tensor &matrix, F f) {
  if (matrix.scalar_type() == at::kFloat) return f(0, matrix);
  const int64_t rows = matrix.size(0), size = std::max<int64_t>(1, at_once / matrix.size(1));
  for (int64_t from = 0; from < rows; from += size) f(from, wide(matrix.narrow(0, from, std::min(size, rows - from))));
}

// layer writes x · weightᵀ + bias for rows x into rows that lie step floats apart; bias may be NULL.
void layer(const at::Tensor &x, const at::Tensor &weight, const float *bias, float *to, int64_t step) {
  multiply(x.size(0), weight.size(0), weight.size(1), of(x), across(of(weight)), bias, to, step);
}

const float *numbers(const maybe_tensor &bias) { return bias ? bias->const_data_ptr<float>() : nullptr; }

at::Tensor multiplied(const at::Tensor &x, const at::Tensor &weight, const maybe_tensor &bias) {
  auto sizes = x.sizes().vec();
  sizes.back() = weight.size(0);
  const at::Tensor read = rows(wide(x));
  const maybe_tensor added = bias ? maybe_tensor(wide(*bias)) : bias;
  const float *offsets = numbers(added);
  at::Tensor out = at::empty(sizes, read.options());
  each(weight, [&](int64_t from, const at::Tensor &part) {
    layer(read, part, offsets ? offsets + from : nullptr, out.data_ptr<float>() + from, sizes.back());
  });
  return to(out, x.scalar_type());
}

// weight_gradient is that of a weight [size, in] for rows x, where the columns of given from `from` on are the gradient of what it makes.
at::Tensor weight_gradient(const at::Tensor &given, int64_t from, int64_t size, const at::Tensor &x) {
  operand part = of(given);
  part.data += from;
  at::Tensor out = at::empty({size, x.size(1)}, given.options());
  multiply(size, x.size(1), given.size(0), across(part), of(x), nullptr, out.data_ptr<float>(), x.size(1));
  return out;
}

at::Tensor bias_gradient(const at::Tensor &given) {
  at::Tensor out = at::empty({given.size(1)}, given.options());
  chosen_kernels().sum_columns(given.size(0), given.size(1), given.const_data_ptr<float>(), given.stride(0), out.data_ptr<float>());
  return out;
}

// whole_weight_gradient is that of a weight of a dtype; one of halves is made in parts too.
at::Tensor whole_weight_gradient(const at::Tensor &given, const at::Tensor &x, at::ScalarType d) {
  const int64_t out = given.size(1);
  if (d == at::kFloat) return weight_gradient(given, 0, out, x);
  at::Tensor halves = at::empty({out, x.size(1)}, x.options().dtype(d));
  const int64_t size = std::max<int64_t>(1, at_once / x.size(1));
  for (int64_t from = 0; from < out; from += size) {
    const int64_t n = std::min(size, out - from);
    halves.narrow(0, from, n).copy_(weight_gradient(given, from, n, x));
  }
  return halves;
}

// linear_node keeps tensors as they are: of halves it makes float32 numbers once more for the gradients.
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
    const at::Tensor &x = saved[0], &weight = saved[1], given = rows(wide(grads[0]));
    const at::ScalarType d = grads[0].scalar_type();
    if (weight.defined() && c->needs_input_grad(0)) {
      const int64_t n = given.size(0), in = weight.size(1);
      auto sizes = grads[0].sizes().vec();
      sizes.back() = in;
      at::Tensor sums = at::empty(sizes, given.options());
      each(weight, [&](int64_t from, const at::Tensor &part) {
        operand columns = of(given);
        columns.data += from;
        multiply(n, in, part.size(0), columns, of(part), nullptr, sums.data_ptr<float>(), in, from > 0);
      });
      result[0] = to(sums, d);
    }
    if (x.defined() && c->needs_input_grad(1)) result[1] = whole_weight_gradient(given, rows(wide(x)), d);
    if (c->saved_data["biased"].toBool() && c->needs_input_grad(2)) result[2] = to(bias_gradient(given), d);
    return result;
  }
};

// projected writes each projection beside the others.
at::Tensor projected(const at::Tensor &x, const projections &p) {
  const at::Tensor flat = rows(x);
  auto sizes = x.sizes().vec();
  sizes.back() = 0;
  for (const at::Tensor &w : p.weights) sizes.back() += w.size(0);
  at::Tensor out = at::empty(sizes, x.options());
  float *to = out.data_ptr<float>();
  for (size_t i = 0; i < p.weights.size(); i++) {
    const at::Tensor &w = p.weights[i];
    layer(flat, w, numbers(p.biases[i]), to, sizes.back());
    to += w.size(0);
  }
  return out;
}

struct projections_node : torch::autograd::Function<projections_node> {
  static at::Tensor forward(AutogradContext *c, const at::Tensor &x, const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
                            const maybe_tensor &q_bias, const maybe_tensor &k_bias, const maybe_tensor &v_bias) {
    const projections p{{q, k, v}, {q_bias, k_bias, v_bias}};
    const bool learns = q.requires_grad() || k.requires_grad() || v.requires_grad(), passes = x.requires_grad();
    auto kept = [&](const at::Tensor &w) { return passes ? w : at::Tensor(); };
    c->save_for_backward({learns ? x : at::Tensor(), kept(q), kept(k), kept(v)});
    c->saved_data["biased"] = q_bias.has_value();
    c->saved_data["sizes"] = std::vector<int64_t>{q.size(0), k.size(0), v.size(0)};
    return projected(x, p);
  }

  static variable_list backward(AutogradContext *c, const variable_list &grads) {
    variable_list result(7);
    if (!grads[0].defined()) return result;
    auto saved = c->get_saved_variables();
    const at::Tensor &x = saved[0], given = rows(grads[0]);
    const int64_t n = given.size(0), all = given.size(1);
    const auto sizes = c->saved_data["sizes"].toIntVector();
    if (saved[1].defined() && c->needs_input_grad(0)) {
      const int64_t in = saved[1].size(1);
      auto shape = grads[0].sizes().vec();
      shape.back() = in;
      result[0] = at::empty(shape, given.options());
      operand part = of(given);
      for (size_t i = 0; i < sizes.size(); i++) {
        multiply(n, in, sizes[i], part, of(saved[1 + i]), nullptr, result[0].data_ptr<float>(), in, i > 0);
        part.data += sizes[i];
      }
    }
    // Where all three learn, one product makes the gradients one behind the other.
    if (x.defined()) {
      const at::Tensor read = rows(x);
      const bool together = c->needs_input_grad(1) && c->needs_input_grad(2) && c->needs_input_grad(3);
      const at::Tensor weights = together ? weight_gradient(given, 0, all, read) : at::Tensor();
      for (int64_t i = 0, from = 0; i < 3; from += sizes[i++])
        if (c->needs_input_grad(1 + i)) result[1 + i] = together ? weights.narrow(0, from, sizes[i]) : weight_gradient(given, from, sizes[i], read);
    }
    if (c->saved_data["biased"].toBool() && (c->needs_input_grad(4) || c->needs_input_grad(5) || c->needs_input_grad(6))) {
      const at::Tensor biases = bias_gradient(given);
      for (int64_t i = 0, from = 0; i < 3; from += sizes[i++])
        if (c->needs_input_grad(4 + i)) result[4 + i] = biases.narrow(0, from, sizes[i]);
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

bool widens(at::ScalarType d) {
#ifdef ESPALIER_X86
  if (!can_fuse()) return false;
  static const bool wide = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  static const bool float16 = wide && [] {
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 23 & 1);
  }();
  return (d == at::kBFloat16 && !wide) || (d == at::kHalf && !float16);
#else
  return false;
#endif
}

bool multiplies(at::ScalarType d) { return d == at::kFloat ? can_fuse() && own_products() : widens(d); }

bool can_fuse_linear(const at::Tensor &x, const at::Tensor &weight, const maybe_tensor &bias) {
  const at::ScalarType d = x.scalar_type();
  auto plain = [&](const at::Tensor &t) { return t.scalar_type() == d && t.is_cpu() && t.layout() == at::kStrided && !t.is_neg(); };
  return multiplies(d) && plain(x) && plain(weight) && (!bias || (plain(*bias) && bias->is_contiguous())) && x.dim() > 1 && weight.dim() == 2 &&
         x.size(-1) == weight.size(1) && (!bias || bias->sizes() == weight.sizes().slice(0, 1)) && weight.size(0) >= least_size &&
         weight.size(1) >= least_size && x.numel() / weight.size(1) >= (d == at::kFloat ? least_rows : least_half_rows);
}

bool can_fuse_projections(const at::Tensor &x, const projections &p) {
  const auto &[q_bias, k_bias, v_bias] = p.biases;
  if (q_bias.has_value() != k_bias.has_value() || q_bias.has_value() != v_bias.has_value()) return false;  // needs_input_grad counts the tensors that are there
  if (!is_plain_float(x)) return false;
  for (size_t i = 0; i < p.weights.size(); i++)
    if (!can_fuse_linear(x, p.weights[i], p.biases[i])) return false;
  return true;
}

at::Tensor fused_projections(const at::Tensor &x, const projections &p) {
  const auto &[q, k, v] = p.weights;
  const auto &[q_bias, k_bias, v_bias] = p.biases;
  if (torch::autograd::compute_requires_grad(x, q, k, v, q_bias, k_bias, v_bias)) return projections_node::apply(x, q, k, v, q_bias, k_bias, v_bias);
  return projected(x, p);
}

at::Tensor fused_linear(const at::Tensor &x, const at::Tensor &weight, const maybe_tensor &bias) {
  if (torch::autograd::compute_requires_grad(x, weight, bias)) return linear_node::apply(x, weight, bias);
  return multiplied(x, weight, bias);
}

}  // namespace espalier
