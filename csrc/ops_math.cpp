// Arithmetic, element by element, and matrix products.
#include <cmath>

#include "internal.h"

using namespace espalier;

namespace {

// A whole number must not turn a tensor of whole numbers into one of floats.
at::Scalar scalar_for(const esp_tensor *t, double v) {
  bool whole = at::isIntegralType(unwrap(t).scalar_type(), /*includeBool=*/false) && v == std::trunc(v);
  TORCH_CHECK(!whole || std::abs(v) < 0x1p63, v, " does not fit the int64 of an operation on whole numbers");
  return whole ? at::Scalar(static_cast<int64_t>(v)) : at::Scalar(v);
}

}  // namespace

esp_result esp_tensor_add(const esp_tensor *a, const esp_tensor *b) {
  return guard([&] { return unwrap(a).add(unwrap(b)); });
}

esp_result esp_tensor_sub(const esp_tensor *a, const esp_tensor *b) {
  return guard([&] { return unwrap(a).sub(unwrap(b)); });
}

esp_result esp_tensor_mul(const esp_tensor *a, const esp_tensor *b) {
  return guard([&] { return unwrap(a).mul(unwrap(b)); });
}

esp_result esp_tensor_div(const esp_tensor *a, const esp_tensor *b) {
  return guard([&] { return unwrap(a).div(unwrap(b)); });
}

esp_result esp_tensor_minimum(const esp_tensor *a, const esp_tensor *b) {
  return guard([&] { return unwrap(a).minimum(unwrap(b)); });
}

esp_result esp_tensor_matmul(const esp_tensor *a, const esp_tensor *b) {
  return guard([&] { return unwrap(a).matmul(unwrap(b)); });
}

esp_result esp_tensor_eq(const esp_tensor *a, const esp_tensor *b) {
  return guard([&] { return unwrap(a).eq(unwrap(b)); });
}

esp_result esp_tensor_le(const esp_tensor *a, const esp_tensor *b) {
  return guard([&] { return unwrap(a).le(unwrap(b)); });
}

esp_result esp_tensor_logical_and(const esp_tensor *a, const esp_tensor *b) {
  return guard([&] { return unwrap(a).logical_and(unwrap(b)); });
}

esp_result esp_tensor_logical_or(const esp_tensor *a, const esp_tensor *b) {
  return guard([&] { return unwrap(a).logical_or(unwrap(b)); });
}

esp_result esp_tensor_add_scalar(const esp_tensor *a, double b) {
  return guard([&] { return unwrap(a).add(scalar_for(a, b)); });
}

esp_result esp_tensor_mul_scalar(const esp_tensor *a, double b) {
  return guard([&] { return unwrap(a).mul(scalar_for(a, b)); });
}

esp_result esp_tensor_eq_scalar(const esp_tensor *a, double b) {
  return guard([&] { return unwrap(a).eq(b); });
}

esp_result esp_tensor_lt_scalar(const esp_tensor *a, double b) {
  return guard([&] { return unwrap(a).lt(b); });
}

esp_result esp_tensor_gt_scalar(const esp_tensor *a, double b) {
  return guard([&] { return unwrap(a).gt(b); });
}

esp_result esp_tensor_clamp_min(const esp_tensor *a, double low) {
  return guard([&] { return unwrap(a).clamp_min(scalar_for(a, low)); });
}

esp_result esp_tensor_neg(const esp_tensor *a) {
  return guard([&] { return unwrap(a).neg(); });
}

esp_result esp_tensor_abs(const esp_tensor *a) {
  return guard([&] { return unwrap(a).abs(); });
}

esp_result esp_tensor_exp(const esp_tensor *a) {
  return guard([&] { return unwrap(a).exp(); });
}

esp_result esp_tensor_log(const esp_tensor *a) {
  return guard([&] { return unwrap(a).log(); });
}

esp_result esp_tensor_sqrt(const esp_tensor *a) {
  return guard([&] { return unwrap(a).sqrt(); });
}

esp_result esp_tensor_rsqrt(const esp_tensor *a) {
  return guard([&] { return unwrap(a).rsqrt(); });
}

esp_result esp_tensor_cos(const esp_tensor *a) {
  return guard([&] { return unwrap(a).cos(); });
}

esp_result esp_tensor_sin(const esp_tensor *a) {
  return guard([&] { return unwrap(a).sin(); });
}

esp_result esp_tensor_isfinite(const esp_tensor *a) {
  return guard([&] { return unwrap(a).isfinite(); });
}

esp_result esp_tensor_logical_not(const esp_tensor *a) {
  return guard([&] { return unwrap(a).logical_not(); });
}

esp_status esp_tensor_copy_(esp_tensor *a, const esp_tensor *b) {
  return guard([&] { unwrap(a).copy_(unwrap(b)); });
}

esp_status esp_tensor_fill_(esp_tensor *a, double value) {
  return guard([&] { unwrap(a).fill_(value); });
}
