// Shared by all units of the shim: handles, and the border that no C++ exception crosses.
#pragma once

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <atomic>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "espalier.h"

namespace espalier {

extern std::atomic<int64_t> live_tensors;
extern thread_local int32_t current_scope;

inline const at::Tensor &unwrap(const esp_tensor *t) { return *reinterpret_cast<const at::Tensor *>(t); }
inline at::Tensor &unwrap(esp_tensor *t) { return *reinterpret_cast<at::Tensor *>(t); }

using maybe_tensor = std::optional<at::Tensor>;

// maybe turns an absent tensor (NULL) into nullopt.
inline maybe_tensor maybe(const esp_tensor *t) { return t ? maybe_tensor(unwrap(t)) : std::nullopt; }

// wrap gives a tensor to the caller; an undefined one is NULL.
inline esp_tensor *wrap(at::Tensor t) {
  if (!t.defined()) return nullptr;
  auto *owned = new at::Tensor(std::move(t));
  live_tensors.fetch_add(1, std::memory_order_relaxed);  // only now: new may fail
  return reinterpret_cast<esp_tensor *>(owned);
}

inline at::IntArrayRef ints(esp_ints v) { return {v.data, static_cast<size_t>(v.count)}; }

inline std::vector<at::Tensor> list(esp_tensors ts) {
  std::vector<at::Tensor> out;
  out.reserve(ts.count);
  for (int64_t i = 0; i < ts.count; i++) out.push_back(unwrap(ts.data[i]));
  return out;
}

inline at::Device device_of(int32_t d) {
  TORCH_CHECK(d <= INT8_MAX, "there is no device cuda:", d);  // libtorch's index has eight bits
  if (d == ESP_TEST_DEVICE) return at::Device(at::kPrivateUse1, 0);
  return d < 0 ? at::Device(at::kCPU) : at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(d));
}

// dtype_of refuses every number that is none of the ten dtypes of torch/dtype.go: libtorch looks others up past the end of a table.
at::ScalarType dtype_of(int32_t dtype);

inline at::TensorOptions options(int32_t dtype, int32_t device) {
  return at::TensorOptions().dtype(dtype_of(dtype)).device(device_of(device));
}

// callback_error carries what went wrong in a Go function through autograd, such as a lack of memory.
struct callback_error : std::runtime_error {
  callback_error(const char *message, int32_t kind) : std::runtime_error(message), kind(kind) {}
  int32_t kind;
};

// answered is the tensor that a Go function gives, or an undefined one; its error is thrown.
at::Tensor answered(esp_hook_answer answer);

// While a trace is recorded, a size that reaches an operation must be recorded too: the next operation takes entry i of
// its list argument, of n entries, from the size of a dimension of t.
void record_size(const char *argument, int64_t n, int64_t i, const at::Tensor &t, int64_t dim);

// check_like holds u, what belongs to t, against t: libtorch's fused kernels and its autograd take it unseen, and read past
// its end.
void check_like(const at::Tensor &t, const at::Tensor &u, const char *what);

esp_error *new_error(int32_t kind, const std::string &message);
esp_error *current_exception_error();

// guard runs f and turns every exception into an error value: nothing may leave an extern "C" function.
// A body that returns a tensor gives an esp_result, one that returns a number an esp_number, one that returns nothing an
// esp_status.
template <class F>
auto guard(F &&f) {
  if constexpr (std::is_arithmetic_v<decltype(f())>) {
    try {
      return esp_number{static_cast<int64_t>(f()), nullptr};
    } catch (...) {
      return esp_number{0, current_exception_error()};
    }
  } else if constexpr (std::is_void_v<decltype(f())>) {
    try {
      f();
      return esp_status{nullptr, current_scope};
    } catch (...) {
      return esp_status{current_exception_error(), current_scope};
    }
  } else {
    try {
      return esp_result{wrap(f()), nullptr, current_scope};
    } catch (...) {
      return esp_result{nullptr, current_exception_error(), current_scope};
    }
  }
}

}  // namespace espalier
