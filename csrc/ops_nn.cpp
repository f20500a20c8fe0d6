// Operations of neural networks.
#include "internal.h"

using namespace espalier;

esp_result esp_tensor_linear(const esp_tensor *x, const esp_tensor *weight, const esp_tensor *bias) {
  return guard([&] { return at::linear(unwrap(x), unwrap(weight), maybe(bias)); });
}

esp_result esp_tensor_layer_norm(const esp_tensor *x, const esp_tensor *weight, const esp_tensor *bias, double eps) {
  return guard([&] { return at::layer_norm(unwrap(x), unwrap(weight).sizes(), maybe(weight), maybe(bias), eps); });
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
    return at::scaled_dot_product_attention(unwrap(q), unwrap(k), unwrap(v), maybe(mask), 0.0, /*is_causal=*/false, scale);
  });
}
