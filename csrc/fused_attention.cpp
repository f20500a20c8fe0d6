// Attention with a backward of its own.
#include <ATen/Parallel.h>
#include <c10/core/CPUAllocator.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/functions/utils.h>

#include "fused.h"
#include "products.h"

namespace espalier {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// So many queries of a head are computed at once: the weights of more would leave the cache.
constexpr int64_t queries_at_once = 128;

// plain is a tensor [batch, heads, tokens, size] whose sizes lie in one piece each.
at::Tensor plain(const at::Tensor &t) { return t.stride(3) == 1 || t.size(3) == 1 ? t : t.contiguous(); }

// like_heads is a new tensor [batch, heads, tokens, size] in the order [batch, tokens, heads, size], as projections give and take it.
at::Tensor like_heads(const at::Tensor &like, int64_t tokens, int64_t size) {
  return at::empty({like.size(0), tokens, like.size(1), size}, like.options()).transpose(1, 2);
}

// heads are the tensors of an attention, read head by head.
struct heads {
  at::Tensor q, k, v;
  maybe_tensor mask;  // as wide as the weights, by strides of 0 where needed
  double scale;

  heads(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const maybe_tensor &m, double scale)
      : q(plain(q)), k(plain(k)), v(plain(v)), scale(scale) {
    if (!m) return;
    at::Tensor seen = *m;
    if (seen.scalar_type() == at::kBool) seen = at::zeros(seen.sizes(), q.options()).masked_fill_(seen.logical_not(), -std::numeric_limits<float>::infinity());
    mask = seen.expand({q.size(0), q.size(1), q.size(2), k.size(2)});
  }

  static float *at(const at::Tensor &t, int64_t batch, int64_t head) {
    return const_cast<float *>(t.const_data_ptr<float>()) + batch * t.stride(0) + head * t.stride(1);
  }

  int64_t count() const { return q.size(0) * q.size(1); }
  int64_t most() const { return std::min(queries_at_once, q.size(2)); }

  // of gives f the parts of one head that are computed at once, without what they give.
  template <class F>
  void of(int64_t i, float *scratch, F f) const {
    const int64_t b = i / q.size(1), h = i % q.size(1), n = q.size(2);
    for (int64_t from = 0; from < n; from += queries_at_once) {
      attention a{std::min(queries_at_once, n - from), k.size(2), q.size(3), v.size(3), at(q, b, h) + from * q.stride(2), at(k, b, h), at(v, b, h)};
      a.q_step = q.stride(2), a.k_step = k.stride(2), a.v_step = v.stride(2);
      if (mask) a.mask = at(*mask, b, h) + from * mask->stride(2), a.mask_step = mask->stride(2), a.mask_key_step = mask->stride(3);
      a.scale = static_cast<float>(scale);
      a.scratch = scratch;
      f(a, b, h, from);
    }
  }

  // each gives f every head with memory of so many floats, several at a time where there are threads.
  template <class F>
  void each(int64_t floats, F f) const {
    at::parallel_for(0, count(), 1, [&](int64_t first, int64_t last) {
      auto scratch = c10::GetCPUAllocator()->allocate(floats * sizeof(float));
      for (int64_t i = first; i < last; i++) of(i, static_cast<float *>(scratch.get()), f);
    });
  }
};

// attend writes the output [batch, heads, tokens, size].
void attend(const heads &all, const at::Tensor &out) {
  const kernels &k = chosen_kernels();
  all.each(k.attention_scratch(all.most(), all.k.size(2), all.q.size(3), all.v.size(3)), [&](attention a, int64_t b, int64_t h, int64_t from) {
    a.out = heads::at(out, b, h) + from * out.stride(2), a.out_step = out.stride(2);
    k.attend(a);
  });
}

at::Tensor attended(const heads &all) {
  at::Tensor out = like_heads(all.q, all.q.size(2), all.v.size(3));
  attend(all, out);
  return out;
}

// gradients writes those of q, k and v for that of the output.
void gradients(const heads &all, const at::Tensor &d_out, const at::Tensor &dq, const at::Tensor &dk, const at::Tensor &dv) {
  const at::Tensor given = plain(d_out);
  const kernels &k = chosen_kernels();
  all.each(k.attention_back_scratch(all.most(), all.k.size(2), all.q.size(3), all.v.size(3)), [&](const attention &a, int64_t b, int64_t h, int64_t from) {
    attention_gradients g{heads::at(given, b, h) + from * given.stride(2), given.stride(2)};
    g.dq = heads::at(dq, b, h) + from * dq.stride(2), g.dq_step = dq.stride(2);
    g.dk = heads::at(dk, b, h), g.dk_step = dk.stride(2);
    g.dv = heads::at(dv, b, h), g.dv_step = dv.stride(2);
    g.adds = from > 0;
    k.attend_back(a, g);
  });
}

struct attention_node : torch::autograd::Function<attention_node> {
  static at::Tensor forward(AutogradContext *c, const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const maybe_tensor &mask, double scale) {
    const heads all(q, k, v, mask, scale);
    c->save_for_backward({all.q, all.k, all.v, all.mask ? *all.mask : at::Tensor()});
    c->saved_data["scale"] = scale;
    return attended(all);
  }

  static variable_list backward(AutogradContext *c, const variable_list &grads) {
    variable_list result(5);
    if (!grads[0].defined()) return result;
    auto saved = c->get_saved_variables();
    const heads all(saved[0], saved[1], saved[2], saved[3].defined() ? maybe_tensor(saved[3]) : std::nullopt, c->saved_data["scale"].toDouble());
    result[0] = like_heads(all.q, all.q.size(2), all.q.size(3));
    result[1] = like_heads(all.k, all.k.size(2), all.k.size(3));
    result[2] = like_heads(all.v, all.v.size(2), all.v.size(3));
    gradients(all, grads[0], result[0], result[1], result[2]);
    return result;
  }
};

// fused are the queries, keys and values in a projection [batch, tokens, query, key and value].
heads fused(const at::Tensor &x, int64_t count, double scale) {
  at::Tensor parts = x.unflatten(-1, {3, count, -1}).permute({2, 0, 3, 1, 4});
  return {parts[0], parts[1], parts[2], std::nullopt, scale};
}

at::Tensor attended_together(const at::Tensor &x, int64_t count, double scale) {
  at::Tensor out = at::empty({x.size(0), x.size(1), x.size(2) / 3}, x.options());
  attend(fused(x, count, scale), out.unflatten(-1, {count, -1}).transpose(1, 2));
  return out;
}

struct self_attention_node : torch::autograd::Function<self_attention_node> {
  static at::Tensor forward(AutogradContext *c, const at::Tensor &x, int64_t count, double scale) {
    c->save_for_backward({x});
    c->saved_data["heads"] = count;
    c->saved_data["scale"] = scale;
    return attended_together(x, count, scale);
  }

  static variable_list backward(AutogradContext *c, const variable_list &grads) {
    variable_list result(3);
    if (!grads[0].defined()) return result;
    const at::Tensor x = c->get_saved_variables()[0];
    const int64_t count = c->saved_data["heads"].toInt();
    const double scale = c->saved_data["scale"].toDouble();
    result[0] = at::empty(x.sizes(), x.options());
    const heads to = fused(result[0], count, scale);
    gradients(fused(x, count, scale), grads[0].unflatten(-1, {count, -1}).transpose(1, 2), to.q, to.k, to.v);
    return result;
  }
};

}  // namespace

bool can_fuse_attention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const maybe_tensor &mask) {
  auto is_of_heads = [&](const at::Tensor &t) { return is_plain_float(t) && t.dim() == 4 && t.size(0) == q.size(0) && t.size(1) == q.size(1); };
  if (!is_of_heads(q) || !is_of_heads(k) || !is_of_heads(v) || q.size(3) != k.size(3) || k.size(2) != v.size(2) || q.numel() == 0 || v.numel() == 0) return false;
  if (mask && (mask->requires_grad() || !mask->is_cpu() || !(mask->scalar_type() == at::kFloat || mask->scalar_type() == at::kBool) ||
               !at::is_expandable_to(mask->sizes(), {q.size(0), q.size(1), q.size(2), k.size(2)})))
    return false;
  return can_fuse();
}

at::Tensor fused_attention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const maybe_tensor &mask, double scale) {
  if (torch::autograd::compute_requires_grad(q, k, v)) return attention_node::apply(q, k, v, mask, scale);
  return attended({q, k, v, mask, scale});
}

bool can_fuse_self_attention(const at::Tensor &x) {
  return can_fuse() && is_plain_float(x) && x.stride(2) == 1 && x.numel() > 0;
}

at::Tensor fused_self_attention(const at::Tensor &x, int64_t count, double scale) {
  if (torch::autograd::compute_requires_grad(x)) return self_attention_node::apply(x, count, scale);
  return attended_together(x, count, scale);
}

}  // namespace espalier
