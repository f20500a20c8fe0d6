// Autograd: modes of the calling thread, backward, gradients.
#include <ATen/autocast_mode.h>
#include <c10/core/InferenceMode.h>

#include "internal.h"

using namespace espalier;

int32_t esp_grad_mode_set(int32_t enabled) {
  int32_t before = c10::GradMode::is_enabled();
  c10::GradMode::set_enabled(enabled);
  return before;
}

int32_t esp_grad_mode_get(void) { return c10::GradMode::is_enabled(); }

esp_inference *esp_inference_begin(void) { return reinterpret_cast<esp_inference *>(new c10::InferenceMode()); }

void esp_inference_end(esp_inference *mode) { delete reinterpret_cast<c10::InferenceMode *>(mode); }

int32_t esp_autocast_set(int32_t device, int32_t dtype) {
  auto type = device_of(device).type();
  int32_t before =
      at::autocast::is_autocast_enabled(type) ? static_cast<int32_t>(at::autocast::get_autocast_dtype(type)) : -1;
  at::autocast::set_autocast_enabled(type, dtype >= 0);
  if (dtype >= 0) at::autocast::set_autocast_dtype(type, static_cast<at::ScalarType>(dtype));
  at::autocast::set_autocast_cache_enabled(true);
  return before;
}

void esp_autocast_clear(void) { at::autocast::clear_cache(); }

int32_t esp_tensor_requires_grad(const esp_tensor *t) { return unwrap(t).requires_grad(); }

esp_status esp_tensor_requires_grad_set(esp_tensor *t, int32_t requires_grad) {
  return guard([&] { unwrap(t).requires_grad_(requires_grad); });
}

esp_status esp_tensor_backward(const esp_tensor *t) {
  return guard([&] { unwrap(t).backward(); });
}

esp_result esp_tensor_grad(const esp_tensor *t) {
  return guard([&] { return unwrap(t).grad(); });
}

esp_status esp_tensor_grad_set(esp_tensor *t, const esp_tensor *grad) {
  return guard([&] { unwrap(t).mutable_grad() = grad ? unwrap(grad) : at::Tensor(); });
}
