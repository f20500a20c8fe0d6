// The operations that a recorded program knows: views, and what gives instructions.
#include <torch/csrc/jit/runtime/operator.h>

#include <algorithm>
#include <cmath>

#include "program_compiler.h"

namespace espalier {

namespace {

// Operations that may give a view.
const std::unordered_set<std::string> views = {
    "aten::flatten", "aten::reshape", "aten::view", "aten::unflatten", "aten::transpose", "aten::permute", "aten::select",
    "aten::slice",   "aten::narrow",  "aten::unsqueeze", "aten::squeeze", "aten::expand",  "aten::contiguous", "aten::detach",
    "aten::to",      "aten::size",    "aten::alias"};

}  // namespace

template <class F>
void compiler::combine(jit_node n, F f) {
  place a = at(n->input(0)), b = at(n->input(1)), out = temporary(sizes_of(n->output()));
  walk<3> w(out.sizes, {broadcast(a, out.sizes), broadcast(b, out.sizes), out.strides});
  emit({a.buffer, b.buffer, out.buffer},
       [=, ab = a.buffer, ao = a.offset, bb = b.buffer, bo = b.offset, ob = out.buffer](addresses at, float *) {
         const float *x = floats_at(at, ab, ao), *y = floats_at(at, bb, bo);
         float *z = floats_of(at, ob, 0);
         w.each([&](const int64_t *o) {
           const float *p = x + o[0], *q = y + o[1];
           float *r = z + o[2];
           const int64_t s = w.run_step[0], t = w.run_step[1];
           int64_t i = 0;
           if (s == 1 && t == 1)
             for (; i + 8 <= w.run; i += 8) {
               float some[8];  // of a known number the compiler makes vectors
               for (int k = 0; k < 8; k++) some[k] = f(p[i + k], q[i + k]);
               memcpy(r + i, some, sizeof some);
             }
           for (; i < w.run; i++) r[i] = f(p[i * s], q[i * t]);
         });
       });
  places_[n->output()] = out;
}

template <class F>
void compiler::each(jit_node n, F f) {
  place a = at(n->input(0)), out = temporary(sizes_of(n->output()));
  walk<2> w(out.sizes, {a.strides, out.strides});
  emit({a.buffer, out.buffer}, [=, ab = a.buffer, ao = a.offset, ob = out.buffer](addresses at, float *) {
    const float *x = floats_at(at, ab, ao);
    float *y = floats_of(at, ob, 0);
    w.each([&](const int64_t *o) {
      for (int64_t i = 0; i < w.run; i++) y[o[1] + i] = f(x[o[0] + i * w.run_step[0]]);
    });
  });
  places_[n->output()] = out;
}

void compiler::visit(jit_node n) {
  const std::string kind = n->kind().toQualString();
  if (n->kind() == c10::prim::Constant) return;
  bool all = true;
  for (jit_value v : n->inputs()) all = all && is_known(v);
  if (all) return fold(n);
  if (kind == "prim::ListConstruct") return;  // of cat, which looks through it
  if (views.count(kind)) return look(n);
  if (auto a = activation_of(n)) return activate(n, *a);
  if (kind == "aten::linear") return linear(n);
  if (kind == "aten::layer_norm") return layer_norm(n);
  if (kind == "aten::_convolution") return patches(n);
  if (kind == "aten::embedding") return embedding(n);
  if (kind == "aten::scaled_dot_product_attention") return attend(n);
  if (kind == "aten::cat") return cat(n);
  if (kind == "aten::add" && plain_sum(n)) return combine(n, [](float a, float b) { return a + b; });
  if (kind == "aten::mul") return combine(n, [](float a, float b) { return a * b; });
  if (kind == "aten::neg") return each(n, [](float x) { return -x; });
  if (kind == "aten::rsqrt") return each(n, [](float x) { return 1 / std::sqrt(x); });
  if (kind == "aten::mean") return mean(n);
  if (kind == "aten::repeat_interleave") return repeat(n);
  if (kind == "aten::ones_like") return ones(n);
  TORCH_CHECK_NOT_IMPLEMENTED(false, "a program has no instruction for ", kind);
}

void compiler::fold(jit_node n) {
  torch::jit::Stack stack;
  for (jit_value v : n->inputs()) stack.push_back(known(v));
  if (n->kind() == c10::prim::ListConstruct) {
    c10::impl::GenericList list(n->output()->type()->expectRef<c10::ListType>().getElementType());
    for (const c10::IValue &v : stack) list.push_back(v);
    known_[n->output()] = list;
    return;
  }
  n->getOperation()(stack);
  for (size_t i = 0; i < n->outputs().size(); i++) known_[n->outputs()[i]] = stack[i];
}

void compiler::look(jit_node n) {
  place p = at(n->input(0));
  for (int tries = 0; tries < 2; tries++) {
    at::Tensor like = at::empty_strided(p.sizes, p.strides, at::TensorOptions().dtype(p.integers ? at::kLong : at::kFloat).device(at::kMeta));
    torch::jit::Stack stack{like};
    for (size_t i = 1; i < n->inputs().size(); i++) stack.push_back(known(n->input(i)));
    n->getOperation()(stack);
    if (!stack[0].isTensor()) {
      known_[n->output()] = stack[0];
      return;
    }
    at::Tensor seen = stack[0].toTensor();
    TORCH_CHECK(seen.scalar_type() == like.scalar_type(), n->kind().toQualString(), " changes the dtype to ", seen.scalar_type());
    if (seen.is_alias_of(like)) {
      p.offset += seen.storage_offset();
      p.sizes = seen.sizes().vec();
      p.strides = seen.strides().vec();
      places_[n->output()] = p;
      return;
    }
    p = solid(p);
  }
  TORCH_CHECK_NOT_IMPLEMENTED(false, n->kind().toQualString(), " gives no view");
}

std::optional<activation> compiler::activation_of(jit_node n) {
  const std::string kind = n->kind().toQualString();
  if (kind == "aten::relu") return activation::relu;
  if (kind == "aten::silu") return activation::silu;
  if (kind == "aten::gelu") return known(n->input(1)).toStringRef() == "tanh" ? activation::gelu_tanh : activation::gelu;
  return std::nullopt;
}

void compiler::activate(jit_node n, activation a) {
  place x = at(n->input(0));
  if (x.strides != contiguous_strides(x.sizes)) x = solid(x);
  place out = temporary(x.sizes);
  emit({x.buffer, out.buffer}, [=, k = &kernels_, count = x.count()](addresses at, float *) {
    k->activate(count, floats_at(at, x.buffer, x.offset), a, floats_of(at, out.buffer, 0));
  });
  places_[n->output()] = out;
}

at::Tensor compiler::weight(jit_value v) {
  const c10::IValue &w = known(v);
  return w.isTensor() ? w.toTensor() : at::Tensor();
}

void compiler::product_of(const place &x, const matrix &m, const at::Tensor &w, const at::Tensor &bias, jit_value out, place target) {
  product g{m.rows, w.size(0), m.columns, nullptr, m.step, packed(w), nullptr, activation::none, nullptr, 0, nullptr, w.size(0)};
  TORCH_CHECK(w.size(1) == m.columns, "a product of ", m.columns, " columns with a weight ", w.sizes());
  place b, residual;
  if (bias.defined()) b = constant(bias);
  if (jit_node next = only(out)) {
    if (auto a = activation_of(next)) {
      g.act = *a;
      done_.insert(next);
      out = next->output();
    }
  }
  if (jit_node next = only(out)) {
    if (next->kind() == c10::aten::add && plain_sum(next) && (g.act == activation::none || g.act == activation::relu)) {
      jit_value other = next->input(next->input(0) == out ? 1 : 0);
      if (other != out && (places_.count(other) || is_known(other))) {
        place r = at(other);
        auto rows = as_matrix(r);
        if (r.sizes == target.sizes && rows && sizes_of(next->output()) == target.sizes) {
          residual = r;
          g.residual_step = rows->step;
          done_.insert(next);
          out = next->output();
        }
      }
    }
  }
  weighted p{g, {x.buffer, x.offset}, {b.buffer, 0}, {residual.buffer, residual.offset}, {target.buffer, target.offset}, &kernels_};
  emit({x.buffer, b.buffer, residual.buffer, target.buffer}, nullptr, std::make_shared<const weighted>(p));
  places_[out] = target;
}

void compiler::linear(jit_node n) {
  auto [x, m] = rows_of(at(n->input(0)));
  product_of(x, m, weight(n->input(1)), weight(n->input(2)), n->output(), temporary(sizes_of(n->output())));
}

void compiler::patches(jit_node n) {
  place x = at(n->input(0));
  at::Tensor w = weight(n->input(1)), bias = weight(n->input(2));
  auto both = [&](size_t i) {  // one number stands for both dimensions
    extents v = known(n->input(i)).toIntVector();
    return v.size() == 1 ? extents({v[0], v[0]}) : v;
  };
  extents stride = both(3), padding = both(4), dilation = both(5);
  extents sizes = sizes_of(n->output());
  TORCH_CHECK_NOT_IMPLEMENTED(x.sizes.size() == 4 && w.dim() == 4 && stride == w.sizes().slice(2).vec() && padding == extents({0, 0}) &&
                                  dilation == extents({1, 1}) && !known(n->input(6)).toBool() && known(n->input(8)).toInt() == 1,
                              "a program has an instruction for convolutions of patches alone");
  // [batch, channels, height, width] as [batch, rows, columns, channels, patch height, patch width]
  place seen = x;
  seen.sizes = {sizes[0], sizes[2], sizes[3], x.sizes[1], stride[0], stride[1]};
  seen.strides = {x.strides[0], x.strides[2] * stride[0], x.strides[3] * stride[1], x.strides[1], x.strides[2], x.strides[3]};
  place apart = solid(seen);
  int64_t rows = sizes[0] * sizes[2] * sizes[3], depth = x.sizes[1] * stride[0] * stride[1];
  place out = temporary({rows, sizes[1]});
  product_of(apart, {rows, depth, depth}, w.reshape({sizes[1], depth}), bias, n->output(), out);
  place &given = places_.at(n->output());
  given.sizes = sizes;
  given.strides = {sizes[2] * sizes[3] * sizes[1], 1, sizes[3] * sizes[1], sizes[1]};
}

void compiler::layer_norm(jit_node n) {
  auto [x, m] = rows_of(at(n->input(0)));
  TORCH_CHECK_NOT_IMPLEMENTED(known(n->input(1)).toIntVector().size() == 1, "a program normalises the last dimension alone");
  at::Tensor w = weight(n->input(2)), bias = weight(n->input(3));
  float eps = static_cast<float>(known(n->input(4)).toDouble());
  place wp, bp, out = temporary(sizes_of(n->output()));
  if (w.defined()) wp = constant(w);
  if (bias.defined()) bp = constant(bias);
  emit({x.buffer, wp.buffer, bp.buffer, out.buffer}, [=, x = x, m = m, k = &kernels_](addresses at, float *) {
    k->norm(m.rows, m.columns, floats_at(at, x.buffer, x.offset), m.step, wp.buffer < 0 ? nullptr : floats_at(at, wp.buffer, 0),
            bp.buffer < 0 ? nullptr : floats_at(at, bp.buffer, 0), eps, true, floats_of(at, out.buffer, 0));
  });
  places_[n->output()] = out;
}

void compiler::embedding(jit_node n) {
  place table = at(n->input(0)), ids = at(n->input(1));
  TORCH_CHECK(ids.integers && ids.strides == contiguous_strides(ids.sizes), "an embedding of what is no plain list of ids");
  place out = temporary(sizes_of(n->output()));
  int64_t rows = table.sizes[0], width = table.sizes[1], count = ids.count();
  emit({table.buffer, ids.buffer, out.buffer}, [=](addresses at, float *) {
    const float *from = floats_at(at, table.buffer, 0);
    const int64_t *id = static_cast<const int64_t *>(at[ids.buffer]) + ids.offset;
    float *to = floats_of(at, out.buffer, 0);
    for (int64_t i = 0; i < count; i++) {
      TORCH_CHECK_INDEX(id[i] >= 0 && id[i] < rows, "token ", id[i], " is not among the ", rows, " of the vocabulary");
      memcpy(to + i * width, from + id[i] * width, width * sizeof(float));
    }
  });
  places_[n->output()] = out;
}

place compiler::mask(jit_value v) {
  if (is_known(v) && known(v).toTensor().scalar_type() == at::kBool) {
    at::Tensor seen = known(v).toTensor();
    return constant(at::zeros({}, at::kFloat).masked_fill(seen.logical_not(), -std::numeric_limits<float>::infinity()));
  }
  return at(v);
}

void compiler::attend(jit_node n) {
  TORCH_CHECK_NOT_IMPLEMENTED(!known(n->input(5)).toBool() && is_known(n->input(6)) && known(n->input(6)).isScalar(),
                              "a program has an instruction for attention with a scale and without a causal form");
  place q = last_dense(at(n->input(0))), k = last_dense(at(n->input(1))), v = last_dense(at(n->input(2))), m;
  TORCH_CHECK_NOT_IMPLEMENTED(q.sizes.size() == 4 && k.sizes.size() == 4 && v.sizes.size() == 4 && q.sizes[1] == k.sizes[1],
                              "a program has an instruction for attention over four dimensions");
  int64_t batch = q.sizes[0], heads = q.sizes[1], queries = q.sizes[2], size = q.sizes[3], keys = k.sizes[2], value_size = v.sizes[3];
  extents mask_strides(4);
  if (!(is_known(n->input(3)) && known(n->input(3)).isNone())) {
    m = mask(n->input(3));
    mask_strides = broadcast(m, {batch, heads, queries, keys});
  }
  extents ks = broadcast(k, {batch, heads, keys, size}), vs = broadcast(v, {batch, heads, keys, value_size});
  place out = temporary({batch, queries, heads, value_size});
  part_.scratch = std::max(part_.scratch, kernels_.attention_scratch(queries, keys, size, value_size));
  attention a{queries, keys, size, value_size, nullptr, nullptr, nullptr, nullptr, q.strides[2], ks[2], vs[2], mask_strides[2],
              mask_strides[3], static_cast<float>(known(n->input(6)).toScalar().toDouble()), nullptr, heads * value_size, nullptr};
  emit({q.buffer, k.buffer, v.buffer, m.buffer, out.buffer}, [=, kernel = &kernels_](addresses at, float *scratch) {
    attention now = a;
    now.scratch = scratch;
    for (int64_t b = 0; b < batch; b++)
      for (int64_t h = 0; h < heads; h++) {
        now.q = floats_at(at, q.buffer, q.offset + b * q.strides[0] + h * q.strides[1]);
        now.k = floats_at(at, k.buffer, k.offset + b * ks[0] + h * ks[1]);
        now.v = floats_at(at, v.buffer, v.offset + b * vs[0] + h * vs[1]);
        now.mask = m.buffer < 0 ? nullptr : floats_at(at, m.buffer, m.offset + b * mask_strides[0] + h * mask_strides[1]);
        now.out = floats_of(at, out.buffer, b * queries * heads * value_size + h * value_size);
        kernel->attend(now);
      }
  });
  std::swap(out.sizes[1], out.sizes[2]);
  std::swap(out.strides[1], out.strides[2]);
  places_[n->output()] = out;
}

void compiler::cat(jit_node n) {
  auto parts = n->input(0)->node()->inputs();
  int64_t dim = known(n->input(1)).toInt();
  extents sizes = sizes_of(n->output());
  if (dim < 0) dim += static_cast<int64_t>(sizes.size());
  place out;
  size_t first = 0;
  place held = at(parts[0]);
  bool grows = held.buffer >= 0 && part_.buffers[held.buffer].kind == buffer::slot && held.offset == 0 && held.strides == contiguous_strides(held.sizes);
  for (int64_t i = 0; i < dim; i++) grows = grows && sizes[i] == 1;
  if (grows) {
    out = held;
    out.sizes = sizes;
    out.strides = contiguous_strides(sizes);
    slot(part_.buffers[held.buffer].index, out.count());
    first = 1;
  } else {
    out = temporary(sizes);
  }
  place into = out;
  into.offset += first ? held.sizes[dim] * out.strides[dim] : 0;
  for (size_t i = first; i < parts.size(); i++) {
    place from = at(parts[i]);
    into.sizes = from.sizes;
    copy(from, into);
    into.offset += from.sizes[dim] * out.strides[dim];
  }
  places_[n->output()] = out;
}

void compiler::mean(jit_node n) {
  place x = at(n->input(0));
  auto dims = known(n->input(1)).toIntVector();
  int64_t last = static_cast<int64_t>(x.sizes.size()) - 1;
  TORCH_CHECK_NOT_IMPLEMENTED(dims.size() == 1 && (dims[0] == -1 || dims[0] == last), "a program has the mean of the last dimension alone");
  auto [rows, m] = rows_of(x);
  place out = temporary(sizes_of(n->output()));
  emit({rows.buffer, out.buffer}, [=, rows = rows, m = m](addresses at, float *) {
    const float *from = floats_at(at, rows.buffer, rows.offset);
    float *to = floats_of(at, out.buffer, 0);
    for (int64_t r = 0; r < m.rows; r++) {
      float sums[8] = {};
      int64_t i = 0;
      for (; i + 8 <= m.columns; i += 8)
        for (int j = 0; j < 8; j++) sums[j] += from[r * m.step + i + j];
      for (; i < m.columns; i++) sums[0] += from[r * m.step + i];
      for (int j = 1; j < 8; j++) sums[0] += sums[j];
      to[r] = sums[0] / static_cast<float>(m.columns);
    }
  });
  places_[n->output()] = out;
}

void compiler::repeat(jit_node n) {
  place x = at(n->input(0));
  TORCH_CHECK_NOT_IMPLEMENTED(known(n->input(1)).isInt() && known(n->input(2)).isInt(), "a program repeats by numbers alone");
  int64_t times = known(n->input(1)).toInt(), dim = known(n->input(2)).toInt();
  place out = temporary(sizes_of(n->output())), into = out, from = x;
  if (dim < 0) dim += static_cast<int64_t>(x.sizes.size());
  from.sizes.insert(from.sizes.begin() + dim + 1, times);
  from.strides.insert(from.strides.begin() + dim + 1, 0);
  into.sizes = from.sizes;
  into.strides = contiguous_strides(into.sizes);
  copy(from, into);
  places_[n->output()] = out;
}

void compiler::ones(jit_node n) {
  torch::jit::Stack stack{at::empty(at(n->input(0)).sizes, at::kLong)};
  for (size_t i = 1; i < n->inputs().size(); i++) stack.push_back(known(n->input(i)));
  n->getOperation()(stack);
  known_[n->output()] = stack[0];
}

}  // namespace espalier
