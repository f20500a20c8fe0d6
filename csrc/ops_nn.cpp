// Operations of neural networks.
#include <ATen/autocast_mode.h>

#include "internal.h"

using namespace espalier;

// Weights may be narrower floats than the activations that they meet: a frozen half-precision table in a network that is
// trained in float32, or a T5 that keeps one matrix of each block in float32. Both are then brought to the wider dtype.
static std::optional<at::Tensor> as(const std::optional<at::Tensor> &t, at::ScalarType d) {
  return t ? std::optional<at::Tensor>(t->to(d)) : t;
}

esp_result esp_tensor_linear(const esp_tensor *x, const esp_tensor *weight, const esp_tensor *bias) {
  return guard([&] {
    const at::Tensor &a = unwrap(x), &w = unwrap(weight);
    if (a.scalar_type() == w.scalar_type() || at::autocast::is_autocast_enabled(a.device().type()))
      return at::linear(a, w, maybe(bias));
    at::ScalarType wide = at::promote_types(a.scalar_type(), w.scalar_type());
    return at::linear(a.to(wide), w.to(wide), as(maybe(bias), wide));
  });
}

esp_result esp_tensor_layer_norm(const esp_tensor *x, const esp_tensor *weight, const esp_tensor *bias, double eps) {
  return guard([&] {
    const at::Tensor &a = unwrap(x);
    std::optional<at::Tensor> w = maybe(weight), b = maybe(bias);
    at::ScalarType d = a.scalar_type(); // libtorch takes float32 weights for halves, not the reverse
    if (d != w->scalar_type() && d == at::promote_types(d, w->scalar_type())) w = as(w, d), b = as(b, d);
    return at::layer_norm(a, w->sizes(), w, b, eps);
  });
}

esp_result esp_tensor_embedding(const esp_tensor *weight, const esp_tensor *ids) {
  return guard([&] { return at::embedding(unwrap(weight), unwrap(ids)); });
}

esp_result esp_tensor_conv2d(const esp_tensor *x, const esp_tensor *weight, const esp_tensor *bias, int64_t stride) {
  return guard([&] { return at::conv2d(unwrap(x), unwrap(weight), maybe(bias), stride); });
}

esp_result esp_tensor_gelu(const esp_tensor *x, int32_t tanh_form) {
  return guard([&] { return at::gelu(unwrap(x), tanh_form ? "tanh" : "none"); });
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

esp_result esp_tensor_attention(const esp_tensor *q, const esp_tensor *k, const esp_tensor *v, const esp_tensor *mask,
                                double scale) {
  return guard([&] {
    auto attend = [scale](const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const std::optional<at::Tensor> &mask) {
      return at::scaled_dot_product_attention(q, k, v, mask, /*dropout_p=*/0.0, /*is_causal=*/false, scale);
    };
    std::optional<at::Tensor> seen = maybe(mask);
    if (!unwrap(q).is_cpu() || !at::autocast::is_autocast_enabled(at::kCPU)) return attend(unwrap(q), unwrap(k), unwrap(v), seen);
    // In bfloat16, libtorch's CPU kernel takes ten times as long backwards as in float32: half of a training step.
    c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::DispatchKey::AutocastCPU);
    if (seen && seen->is_floating_point()) seen = seen->to(at::kFloat);
    return attend(unwrap(q).to(at::kFloat), unwrap(k).to(at::kFloat), unwrap(v).to(at::kFloat), seen);
  });
}
