// Autograd: modes of the calling thread, backward, gradients.
#include <ATen/autocast_mode.h>
#include <c10/core/InferenceMode.h>

#include "internal.h"

using namespace espalier;

namespace espalier {

void check_like(const at::Tensor &t, const at::Tensor &u, const char *what) {
  TORCH_CHECK(u.sizes() == t.sizes() && u.scalar_type() == t.scalar_type() && u.device() == t.device(), what, " of ", t.sizes(), " ",
              t.scalar_type(), " on ", t.device(), " must be like it, and is ", u.sizes(), " ", u.scalar_type(), " on ", u.device());
}

}  // namespace espalier

int32_t esp_grad_mode_set(int32_t enabled) {
  int32_t before = c10::GradMode::is_enabled();
  c10::GradMode::set_enabled(enabled);
  return before;
}

int32_t esp_grad_mode_get(void) { return c10::GradMode::is_enabled(); }

esp_status esp_inference_begin(esp_inference **out) {
  return guard([&] { *out = reinterpret_cast<esp_inference *>(new c10::InferenceMode()); });
}

void esp_inference_end(esp_inference *mode) { delete reinterpret_cast<c10::InferenceMode *>(mode); }

esp_number esp_autocast_set(int32_t device, int32_t dtype) {
  return guard([&] {
    auto type = device_of(device).type();
    auto before = at::autocast::is_autocast_enabled(type) ? static_cast<int32_t>(at::autocast::get_autocast_dtype(type)) : -1;
    bool on = dtype != -1;
    if (on) {
      at::ScalarType d = dtype_of(dtype);
      TORCH_CHECK_TYPE(at::isReducedFloatingType(d), "autocast computes in bfloat16 or float16, not in ", d);
      at::autocast::set_autocast_dtype(type, d);
    }
    at::autocast::set_autocast_enabled(type, on);
    at::autocast::set_autocast_cache_enabled(true);
    return before;
  });
}

esp_status esp_autocast_clear(void) {
  return guard([] { at::autocast::clear_cache(); });
}

esp_number esp_tensor_requires_grad(const esp_tensor *t) {
  return guard([&] { return unwrap(t).requires_grad(); });
}

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
  return guard([&] {
    if (grad) check_like(unwrap(t), unwrap(grad), "a gradient");
    unwrap(t).mutable_grad() = grad ? unwrap(grad) : at::Tensor();
  });
}
