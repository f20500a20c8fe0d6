// Operations of neural networks.
#include <ATen/autocast_mode.h>

#include "fused.h"

using namespace espalier;

// The floats that meet in one operation may be of several dtypes: a frozen half-precision table in a network that is trained
// in float32, or a checkpoint that keeps some matrices or vectors in float32. They are brought to the widest.
// A conversion that changes nothing would still cost a dispatch, and a line in a trace.
static at::Tensor as(const at::Tensor &t, at::ScalarType d) { return t.scalar_type() == d ? t : t.to(d); }

static maybe_tensor as(const maybe_tensor &t, at::ScalarType d) { return t ? maybe_tensor(as(*t, d)) : t; }

static bool is_a(const maybe_tensor &t, at::ScalarType d) { return !t || t->scalar_type() == d; }

static at::ScalarType widest(const at::Tensor &a, std::initializer_list<const maybe_tensor *> others) {
  at::ScalarType d = a.scalar_type();
  for (const maybe_tensor *t : others)
    if (*t && (*t)->is_floating_point()) d = at::promote_types(d, (*t)->scalar_type());
  return d;
}

static bool autocasts(const at::Tensor &t) { return at::autocast::is_autocast_enabled(t.device().type()); }

// half is what autocast makes of a tensor on the CPU; of a parameter it is kept until autocast ends.
static at::Tensor half(const at::Tensor &t) { return at::autocast::cached_cast(at::autocast::get_autocast_dtype(at::kCPU), t, at::kCPU); }

// half_layer is a linear layer under autocast.
static at::Tensor half_layer(const at::Tensor &x, const at::Tensor &w, const maybe_tensor &b) {
  if (!x.is_cpu() || !widens(at::autocast::get_autocast_dtype(at::kCPU))) return at::linear(x, w, b);
  const at::Tensor rows = half(x), weight = half(w);
  const maybe_tensor bias = b ? maybe_tensor(half(*b)) : b;
  if (!can_fuse_linear(rows, weight, bias)) return at::linear(x, w, b);
  c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::DispatchKey::AutocastCPU);
  return fused_linear(rows, weight, bias);
}

static at::Tensor linear_layer(const at::Tensor &x, const at::Tensor &w, const maybe_tensor &b) {
  at::ScalarType d = x.scalar_type();
  if (autocasts(x)) return half_layer(x, w, b);
  if (can_fuse_linear(x, w, b)) return fused_linear(x, w, b);
  if (w.scalar_type() == d && is_a(b, d)) return at::linear(x, w, b);
  maybe_tensor weights = w;
  d = widest(x, {&weights, &b});
  return at::linear(as(x, d), as(w, d), as(b, d));
}

esp_result esp_tensor_linear(const esp_tensor *x, const esp_tensor *weight, const esp_tensor *bias) {
  return guard([&] { return linear_layer(unwrap(x), unwrap(weight), maybe(bias)); });
}

esp_result esp_tensor_layer_norm(const esp_tensor *x, const esp_tensor *weight, const esp_tensor *bias, double eps) {
  return guard([&] {
    const at::Tensor &a = unwrap(x);
    maybe_tensor w = maybe(weight), b = maybe(bias);
    if (can_fuse_norm(a, w, b)) return fused_norm(a, *w, b, eps);
    at::ScalarType d = a.scalar_type(), wide = widest(a, {&w, &b});
    // On the CPU, libtorch's kernel takes float32 weights for halves.
    bool mixed = a.is_cpu() && at::isReducedFloatingType(d) && is_a(w, at::kFloat) && is_a(b, at::kFloat);
    if (wide == d || mixed) {
      if (!mixed) w = as(w, d), b = as(b, d);
      return at::layer_norm(a, w->sizes(), w, b, eps);
    }
    return at::layer_norm(a.to(wide), w->sizes(), as(w, wide), as(b, wide), eps).to(d);
  });
}

esp_result esp_tensor_embedding(const esp_tensor *weight, const esp_tensor *ids) {
  return guard([&] { return at::embedding(unwrap(weight), unwrap(ids)); });
}

// are_patches tells whether a convolution's kernels lie side by side on the pictures.
static bool are_patches(const at::Tensor &x, const at::Tensor &w, const maybe_tensor &b, int64_t stride) {
  return stride > 0 && x.dim() == 4 && w.dim() == 4 && w.numel() > 0 && x.size(1) == w.size(1) && w.size(2) == stride && w.size(3) == stride &&
         x.size(2) >= stride && x.size(3) >= stride && (!b || b->sizes() == w.sizes().slice(0, 1));
}

// patches is such a convolution as a linear layer over each patch.
static at::Tensor patches(const at::Tensor &x, const at::Tensor &w, const maybe_tensor &b, int64_t stride) {
  const int64_t rows = x.size(2) / stride, columns = x.size(3) / stride;
  at::Tensor seen = x.narrow(2, 0, rows * stride).narrow(3, 0, columns * stride).unflatten(3, {columns, stride}).unflatten(2, {rows, stride});
  const at::Tensor out = linear_layer(seen.permute({0, 2, 4, 1, 3, 5}).flatten(3), w.flatten(1), b).permute({0, 3, 1, 2});
  return at::GradMode::is_enabled() ? out : out.detach();  // a view that is made without gradients cannot be written with them
}

esp_result esp_tensor_conv2d(const esp_tensor *x, const esp_tensor *weight, const esp_tensor *bias, int64_t stride) {
  return guard([&] {
    const at::Tensor &a = unwrap(x);
    maybe_tensor w = unwrap(weight), b = maybe(bias);
    const at::ScalarType d = widest(a, {&w, &b});
    const at::ScalarType cast = autocasts(a) ? at::autocast::get_autocast_dtype(a.device().type()) : d;
    if (a.is_cpu() && multiplies(cast) && are_patches(a, *w, b, stride)) return patches(as(a, d), as(*w, d), as(b, d), stride);
    if (autocasts(a)) return at::conv2d(a, *w, b, stride);
    return at::conv2d(as(a, d), as(*w, d), as(b, d), stride);
  });
}

esp_result esp_tensor_gelu(const esp_tensor *x, int32_t tanh_form) {
  return guard([&] {
    const at::Tensor &a = unwrap(x);
    return can_fuse_gelu(a) ? fused_gelu(a, tanh_form) : at::gelu(a, tanh_form ? "tanh" : "none");
  });
}

esp_result esp_tensor_relu(const esp_tensor *x) {
  return guard([&] { return unwrap(x).relu(); });
}

esp_result esp_tensor_silu(const esp_tensor *x) {
  return guard([&] { return at::silu(unwrap(x)); });
}

esp_result esp_tensor_softplus(const esp_tensor *x) {
  return guard([&] { return at::softplus(unwrap(x)); });
}

esp_result esp_tensor_softmax(const esp_tensor *x, int64_t dim) {
  return guard([&] { return unwrap(x).softmax(dim); });
}

esp_result esp_tensor_log_softmax(const esp_tensor *x, int64_t dim) {
  return guard([&] { return unwrap(x).log_softmax(dim); });
}

esp_result esp_tensor_cross_entropy(const esp_tensor *logits, const esp_tensor *targets) {
  return guard([&] { return at::cross_entropy_loss(unwrap(logits), unwrap(targets)); });
}

static at::Tensor attention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, maybe_tensor mask, double scale) {
  auto attend = [&](const at::Tensor &q, const at::Tensor &k, const at::Tensor &v) {
    if (can_fuse_attention(q, k, v, mask)) return fused_attention(q, k, v, mask, scale);
    return at::scaled_dot_product_attention(q, k, v, mask, /*dropout_p=*/0.0, /*is_causal=*/false, scale);
  };
  if (!autocasts(q)) {
    maybe_tensor keys = k, values = v;
    at::ScalarType d = widest(q, {&keys, &values, &mask});
    const at::ScalarType wide = q.is_cpu() && widens(d) ? at::kFloat : d;
    if (mask && mask->is_floating_point()) mask = as(mask, wide);
    return as(attend(as(q, wide), as(k, wide), as(v, wide)), d);
  }
  if (!q.is_cpu()) return attend(q, k, v);
  // In bfloat16, libtorch's CPU kernel takes ten times as long backwards as in float32: half of a training step.
  c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::DispatchKey::AutocastCPU);
  if (mask && mask->is_floating_point()) mask = mask->to(at::kFloat);
  return attend(q.to(at::kFloat), k.to(at::kFloat), v.to(at::kFloat));
}

esp_result esp_tensor_attention(const esp_tensor *q, const esp_tensor *k, const esp_tensor *v, const esp_tensor *mask,
                                double scale) {
  return guard([&] {
    // libtorch's CPU kernel takes the number of values from the keys, and reads what is missing from other memory.
    TORCH_CHECK(unwrap(k).dim() > 1 && unwrap(v).dim() > 1 && unwrap(k).size(-2) == unwrap(v).size(-2), "keys ", unwrap(k).sizes(),
                " and values ", unwrap(v).sizes(), " are not of the same tokens");
    return attention(unwrap(q), unwrap(k), unwrap(v), maybe(mask), scale);
  });
}

esp_result esp_tensor_self_attention(const esp_tensor *x, int64_t heads, double scale) {
  return guard([&] {
    at::Tensor a = unwrap(x);
    TORCH_CHECK(a.dim() == 3 && heads > 0 && a.size(2) % (3 * heads) == 0, "a projection ", a.sizes(), " does not hold ", heads,
                " heads of queries, keys and values");
    if (autocasts(a) && a.is_cpu()) a = a.to(at::kFloat);  // as above
    if (can_fuse_self_attention(a, heads, std::nullopt)) return fused_self_attention(a, heads, std::nullopt, scale);
    at::Tensor parts = a.unflatten(-1, {3, heads, a.size(2) / (3 * heads)}).permute({2, 0, 3, 1, 4});
    return attention(parts.select(0, 0), parts.select(0, 1), parts.select(0, 2), std::nullopt, scale).transpose(1, 2).flatten(2, 3);
  });
}

// together computes the projections as one and attends to them, where kernels of ours can; the result is undefined otherwise.
static at::Tensor together(const at::Tensor &x, const projections &p, maybe_tensor mask, int64_t heads, double scale) {
  const auto &[q, k, v] = p.weights;
  if (q.sizes() != k.sizes() || q.sizes() != v.sizes() || !x.is_cpu() || !can_fuse()) return {};
  if (mask && at::isReducedFloatingType(mask->scalar_type())) mask = mask->to(at::kFloat);
  if (!can_read(mask, {x.size(0), heads, x.size(1), x.size(1)})) return {};
  at::Tensor all;
  if (autocasts(x)) {
    const auto &[q_bias, k_bias, v_bias] = p.biases;  // all or none
    for (const maybe_tensor &t : {maybe_tensor(q), maybe_tensor(k), maybe_tensor(v), q_bias, k_bias, v_bias})
      if (!is_a(t, at::kFloat)) return {};  // halves need no conversion, and a copy of all three would be kept for backward
    const maybe_tensor bias = q_bias ? maybe_tensor(at::cat({half(*q_bias), half(*k_bias), half(*v_bias)})) : std::nullopt;
    all = half_layer(x, at::cat({half(q), half(k), half(v)}), bias).to(at::kFloat);
  } else if (can_fuse_projections(x, p)) {
    all = fused_projections(x, p);
  }
  return all.defined() && can_fuse_self_attention(all, heads, mask) ? fused_self_attention(all, heads, mask, scale) : at::Tensor();
}

esp_result esp_tensor_projected_attention(const esp_tensor *x, esp_tensors weights, esp_tensors biases, const esp_tensor *mask, int64_t heads,
                                          double scale) {
  return guard([&] {
    const at::Tensor &a = unwrap(x);
    const maybe_tensor m = maybe(mask);
    projections p;
    TORCH_CHECK(weights.count == 3 && (biases.count == 0 || biases.count == 3), weights.count, " weights and ", biases.count,
                " biases: queries, keys and values have one each");
    for (int i = 0; i < 3; i++) {
      p.weights[i] = unwrap(weights.data[i]);
      if (biases.count) p.biases[i] = unwrap(biases.data[i]);
      TORCH_CHECK(a.dim() == 3 && heads > 0 && p.weights[i].dim() == 2 && p.weights[i].size(0) % heads == 0, "a weight ", p.weights[i].sizes(),
                  " does not project ", a.sizes(), " to ", heads, " heads");
    }
    if (at::Tensor out = together(a, p, m, heads, scale); out.defined()) return out;
    auto part = [&](int i) { return linear_layer(a, p.weights[i], p.biases[i]).unflatten(-1, {heads, -1}).transpose(1, 2); };
    const at::Tensor q = part(0), k = part(1), v = part(2);
    return attention(q, k, v, m, scale).transpose(1, 2).flatten(2, 3);
  });
}
