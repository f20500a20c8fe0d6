// Attention with a backward of its own.
#include <ATen/Parallel.h>
#include <c10/core/CPUAllocator.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <algorithm>
#include <cstring>

#include "attention_parts.h"
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

// mask_of is what one head adds to its scores, of a mask [batch, heads, queries, keys].
attention_mask mask_of(const maybe_tensor &mask, int64_t batch, int64_t head) {
  if (!mask) return {};
  return {mask->const_data_ptr<float>() + batch * mask->stride(0) + head * mask->stride(1), mask->stride(2), mask->stride(3)};
}

// division is the parts of all heads: of one where all have the same mask.
struct division {
  int64_t queries, keys, heads, batches;  // of the mask as far as it differs
  std::vector<std::vector<attention_part>> parts;

  division(const maybe_tensor &mask, int64_t queries, int64_t keys)
      : queries(queries), keys(keys), heads(mask && mask->stride(1) ? mask->size(1) : 1), batches(mask && mask->stride(0) ? mask->size(0) : 1), parts(batches * heads) {
    at::parallel_for(0, parts.size(), 1, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; i++) parts[i] = attention_parts(queries, keys, mask_of(mask, i / heads, i % heads), queries_at_once);
    });
  }

  const std::vector<attention_part> &of(int64_t batch, int64_t head) const { return parts[(batches > 1 ? batch * heads : 0) + (heads > 1 ? head : 0)]; }

  int64_t bytes() const {
    size_t n = 0;
    for (const auto &head : parts)
      for (const auto &p : head) n += sizeof p + p.keys.size() * sizeof p.keys[0] + p.mask.size() * sizeof p.mask[0];
    return n;
  }

  // each gives f every row of the mask that differs from others; it ends where f gives false.
  template <class F>
  bool each(const at::Tensor &mask, F f) const {
    for (int64_t i = 0; i < batches * heads; i++) {
      const auto m = mask_of(mask, i / heads, i % heads);
      for (int64_t q = 0; q < (m.step ? queries : 1); q++)
        if (!f(m.data + q * m.step, m.key_step)) return false;
    }
    return true;
  }
};

// kept is the last division of a thread and the mask's numbers: a network's layers share a mask, which is compared more quickly than divided.
struct kept_division {
  std::shared_ptr<const division> parts;
  std::vector<float> mask;
  std::array<int64_t, 3> steps;  // which of the mask's were 0

  static std::array<int64_t, 3> steps_of(const at::Tensor &mask) { return {mask.stride(0) != 0, mask.stride(1) != 0, mask.stride(2) != 0}; }

  bool is_of(const at::Tensor &m, int64_t queries, int64_t keys) const {
    if (!parts || parts->queries != queries || parts->keys != keys || steps_of(m) != steps || (steps[0] ? m.size(0) : 1) != parts->batches ||
        (steps[1] ? m.size(1) : 1) != parts->heads)
      return false;
    const float *at = mask.data();
    return parts->each(m, [&](const float *row, int64_t step) {
      int differs = 0;
      if (step == 1) {
        differs = std::memcmp(at, row, keys * sizeof *at);
      } else {
        for (int64_t j = 0; j < keys; j++) differs |= !(at[j] == row[j * step]);
      }
      at += keys;
      return !differs;
    });
  }

  void keep(std::shared_ptr<const division> made, const at::Tensor &m) {
    constexpr int64_t most = 2 << 20;  // bytes, of each
    *this = {};
    if (made->bytes() > most || int64_t(made->parts.size()) * made->queries * made->keys * int64_t(sizeof(float)) > most) return;
    steps = steps_of(m);
    made->each(m, [&](const float *row, int64_t step) {
      for (int64_t j = 0; j < made->keys; j++) mask.push_back(row[j * step]);
      return true;
    });
    parts = std::move(made);
  }
};

std::shared_ptr<const division> division_of(const maybe_tensor &mask, int64_t queries, int64_t keys) {
  if (!mask) return std::make_shared<const division>(mask, queries, keys);
  thread_local kept_division kept;
  if (kept.is_of(*mask, queries, keys)) return kept.parts;
  auto made = std::make_shared<const division>(mask, queries, keys);
  kept.keep(made, *mask);
  return made;
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
  int64_t keys() const { return k.size(2); }
  int64_t most() const { return std::min(queries_at_once, q.size(2)); }
  int64_t row() const { return q.size(3) + v.size(3); }  // floats of a key and its value

  // part is what is computed at once of a head, without what it gives.
  attention part(const attention_part &p, int64_t b, int64_t h, float *gathered) const {
    attention a{p.queries, keys(), q.size(3), v.size(3), at(q, b, h) + p.from * q.stride(2), at(k, b, h), at(v, b, h)};
    a.q_step = q.stride(2), a.k_step = k.stride(2), a.v_step = v.stride(2);
    a.scale = static_cast<float>(scale);
    if (const auto m = mask_of(mask, b, h); m.data) a.mask = m.data + p.from * m.step, a.mask_step = m.step, a.mask_key_step = m.key_step;
    if (p.keys.empty()) return a;
    const int64_t n = p.keys.size();
    float *ks = gathered, *vs = ks + n * a.size;
    chosen_kernels().gather(n, p.keys.data(), a.size, a.k, a.k_step, ks);
    chosen_kernels().gather(n, p.keys.data(), a.value_size, a.v, a.v_step, vs);
    a.keys = n, a.k = ks, a.k_step = a.size, a.v = vs, a.v_step = a.value_size;
    a.mask = p.mask.data(), a.mask_step = int64_t(p.mask.size()) == n ? 0 : n, a.mask_key_step = 1;
    return a;
  }

  // each gives f every head with its parts and memory of so many floats, several at a time where there are threads.
  template <class F>
  void each(int64_t floats, F f) const {
    const auto divided = division_of(mask, q.size(2), keys());
    at::parallel_for(0, count(), 1, [&](int64_t first, int64_t last) {
      auto scratch = c10::GetCPUAllocator()->allocate(floats * sizeof(float));
      for (int64_t i = first; i < last; i++) {
        const int64_t b = i / q.size(1), h = i % q.size(1);
        f(divided->of(b, h), b, h, static_cast<float *>(scratch.get()));
      }
    });
  }
};

// attend writes the output [batch, heads, tokens, size].
void attend(const heads &all, const at::Tensor &out) {
  const kernels &k = chosen_kernels();
  const int64_t floats = k.attention_scratch(all.most(), all.keys(), all.q.size(3), all.v.size(3));
  all.each(floats + all.keys() * all.row(), [&](const std::vector<attention_part> &parts, int64_t b, int64_t h, float *scratch) {
    for (const auto &p : parts) {
      attention a = all.part(p, b, h, scratch + floats);
      a.scratch = scratch;
      a.out = heads::at(out, b, h) + p.from * out.stride(2), a.out_step = out.stride(2);
      k.attend(a);
    }
  });
}

at::Tensor attended(const heads &all) {
  at::Tensor out = like_heads(all.q, all.q.size(2), all.v.size(3));
  attend(all, out);
  return out;
}

void clear(int64_t rows, int64_t size, float *x, int64_t step) {
  for (int64_t i = 0; i < rows; i++) std::fill_n(x + i * step, size, 0.f);
}

// gradients writes those of q, k and v for that of the output.
void gradients(const heads &all, const at::Tensor &d_out, const at::Tensor &dq, const at::Tensor &dk, const at::Tensor &dv) {
  const at::Tensor given = plain(d_out);
  const kernels &k = chosen_kernels();
  const int64_t floats = k.attention_back_scratch(all.most(), all.keys(), all.q.size(3), all.v.size(3)), gathered = all.keys() * all.row();
  all.each(floats + 2 * gathered, [&](const std::vector<attention_part> &parts, int64_t b, int64_t h, float *scratch) {
    float *keys = heads::at(dk, b, h), *values = heads::at(dv, b, h);
    const bool adds = parts.size() > 1 || !parts[0].keys.empty();
    if (adds) clear(all.keys(), dk.size(3), keys, dk.stride(2)), clear(all.keys(), dv.size(3), values, dv.stride(2));
    for (const auto &p : parts) {
      attention a = all.part(p, b, h, scratch + floats);
      a.scratch = scratch;
      attention_gradients g{heads::at(given, b, h) + p.from * given.stride(2), given.stride(2)};
      g.dq = heads::at(dq, b, h) + p.from * dq.stride(2), g.dq_step = dq.stride(2);
      if (p.keys.empty()) {
        g.dk = keys, g.dk_step = dk.stride(2), g.dv = values, g.dv_step = dv.stride(2), g.adds = adds;
        k.attend_back(a, g);
        continue;
      }
      g.dk = scratch + floats + gathered, g.dk_step = a.size, g.dv = g.dk + a.keys * a.size, g.dv_step = a.value_size, g.adds = false;
      k.attend_back(a, g);
      k.scatter(a.keys, p.keys.data(), a.size, g.dk, keys, dk.stride(2));
      k.scatter(a.keys, p.keys.data(), a.value_size, g.dv, values, dv.stride(2));
    }
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
heads fused(const at::Tensor &x, int64_t count, const maybe_tensor &mask, double scale) {
  at::Tensor parts = x.unflatten(-1, {3, count, -1}).permute({2, 0, 3, 1, 4});
  return {parts[0], parts[1], parts[2], mask, scale};
}

at::Tensor attended_together(const at::Tensor &x, int64_t count, const maybe_tensor &mask, double scale) {
  at::Tensor out = at::empty({x.size(0), x.size(1), x.size(2) / 3}, x.options());
  attend(fused(x, count, mask, scale), out.unflatten(-1, {count, -1}).transpose(1, 2));
  return out;
}

struct self_attention_node : torch::autograd::Function<self_attention_node> {
  static at::Tensor forward(AutogradContext *c, const at::Tensor &x, int64_t count, const maybe_tensor &mask, double scale) {
    c->save_for_backward({x, mask ? *mask : at::Tensor()});
    c->saved_data["heads"] = count;
    c->saved_data["scale"] = scale;
    return attended_together(x, count, mask, scale);
  }

  static variable_list backward(AutogradContext *c, const variable_list &grads) {
    variable_list result(4);
    if (!grads[0].defined()) return result;
    auto saved = c->get_saved_variables();
    const at::Tensor &x = saved[0];
    const maybe_tensor mask = saved[1].defined() ? maybe_tensor(saved[1]) : std::nullopt;
    const int64_t count = c->saved_data["heads"].toInt();
    const double scale = c->saved_data["scale"].toDouble();
    result[0] = at::empty(x.sizes(), x.options());
    const heads to = fused(result[0], count, std::nullopt, scale);
    gradients(fused(x, count, mask, scale), grads[0].unflatten(-1, {count, -1}).transpose(1, 2), to.q, to.k, to.v);
    return result;
  }
};

}  // namespace

bool can_read(const maybe_tensor &mask, at::IntArrayRef weights) {
  return !mask || (!mask->requires_grad() && mask->is_cpu() && (mask->scalar_type() == at::kFloat || mask->scalar_type() == at::kBool) &&
                   at::is_expandable_to(mask->sizes(), weights));
}

bool can_fuse_attention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const maybe_tensor &mask) {
  auto is_of_heads = [&](const at::Tensor &t) { return is_plain_float(t) && t.dim() == 4 && t.size(0) == q.size(0) && t.size(1) == q.size(1); };
  if (!is_of_heads(q) || !is_of_heads(k) || !is_of_heads(v) || q.size(3) != k.size(3) || k.size(2) != v.size(2) || q.numel() == 0 || v.numel() == 0) return false;
  return can_read(mask, {q.size(0), q.size(1), q.size(2), k.size(2)}) && can_fuse();
}

at::Tensor fused_attention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const maybe_tensor &mask, double scale) {
  if (torch::autograd::compute_requires_grad(q, k, v)) return attention_node::apply(q, k, v, mask, scale);
  return attended({q, k, v, mask, scale});
}

bool can_fuse_self_attention(const at::Tensor &x, int64_t count, const maybe_tensor &mask) {
  return can_fuse() && is_plain_float(x) && x.stride(2) == 1 && x.numel() > 0 && can_read(mask, {x.size(0), count, x.size(1), x.size(1)});
}

at::Tensor fused_self_attention(const at::Tensor &x, int64_t count, const maybe_tensor &mask, double scale) {
  if (torch::autograd::compute_requires_grad(x)) return self_attention_node::apply(x, count, mask, scale);
  return attended_together(x, count, mask, scale);
}

}  // namespace espalier
