// Tensors: making, reading, freeing, moving.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TracerMode.h>

#include "internal.h"

using namespace espalier;

namespace espalier {

at::ScalarType dtype_of(int32_t dtype) {
  auto d = static_cast<at::ScalarType>(dtype);
  switch (dtype < 0 || dtype > INT8_MAX ? at::ScalarType::Undefined : d) {
    case at::kByte:
    case at::kChar:
    case at::kShort:
    case at::kInt:
    case at::kLong:
    case at::kHalf:
    case at::kFloat:
    case at::kDouble:
    case at::kBool:
    case at::kBFloat16:
      return d;
    default:
      TORCH_CHECK_TYPE(false, "Espalier does not compute with the dtype of number ", dtype);
  }
}

}  // namespace espalier

// What is made of values of Go is a constant of a trace, and its bytes are written behind the tracer's back.
using constant = at::tracer::impl::NoTracerDispatchMode;

void esp_tensor_free(esp_tensor *t) {
  if (!t) return;
  live_tensors.fetch_sub(1, std::memory_order_relaxed);
  delete reinterpret_cast<at::Tensor *>(t);
}

void esp_tensors_free(esp_tensors ts) {
  // Last made, first freed: a graph is taken down from its end.
  for (int64_t i = ts.count; i-- > 0;) esp_tensor_free(ts.data[i]);
}

esp_number esp_tensor_rank(const esp_tensor *t) {
  return guard([&] { return unwrap(t).dim(); });
}

esp_status esp_tensor_shape(const esp_tensor *t, int64_t *shape) {
  return guard([&] {
    auto sizes = unwrap(t).sizes();
    std::copy(sizes.begin(), sizes.end(), shape);
  });
}

esp_number esp_tensor_size(const esp_tensor *t, int64_t dim) {
  return guard([&] {
    int64_t rank = unwrap(t).dim();
    TORCH_CHECK_INDEX(dim >= -rank && dim < rank, "no dimension ", dim);
    return unwrap(t).sizes()[dim < 0 ? dim + rank : dim];
  });
}

esp_number esp_tensor_count(const esp_tensor *t) {
  return guard([&] { return unwrap(t).numel(); });
}

esp_number esp_tensor_dtype(const esp_tensor *t) {
  return guard([&] { return static_cast<int32_t>(unwrap(t).scalar_type()); });
}

esp_number esp_tensor_device(const esp_tensor *t) {
  return guard([&]() -> int64_t {
    if (unwrap(t).is_privateuseone()) return ESP_TEST_DEVICE;
    return unwrap(t).is_cuda() ? unwrap(t).get_device() : ESP_CPU;
  });
}

esp_number esp_tensor_is_contiguous(const esp_tensor *t) {
  return guard([&] { return unwrap(t).is_contiguous(); });
}

esp_status esp_tensor_data(const esp_tensor *t, void **data) {
  return guard([&] { *data = unwrap(t).data_ptr(); });
}

esp_result esp_tensor_alias(const esp_tensor *t) {
  return guard([&] { return unwrap(t); });
}

esp_status esp_tensor_export(const esp_tensor *t, void **at_tensor) {
  return guard([&] { *at_tensor = new at::Tensor(unwrap(t)); });
}

esp_result esp_tensor_import(const void *at_tensor) {
  return guard([&] { return *static_cast<const at::Tensor *>(at_tensor); });
}

esp_status esp_tensor_read(const esp_tensor *t, void *to, int64_t bytes) {
  return guard([&] {
    at::Tensor x = unwrap(t).detach().to(at::kCPU).contiguous();
    TORCH_CHECK(static_cast<int64_t>(x.nbytes()) == bytes, "tensor holds ", x.nbytes(), " bytes, ", bytes, " asked for");
    if (bytes > 0) std::memcpy(to, x.data_ptr(), bytes);  // of no bytes, both addresses may be null
  });
}

esp_status esp_tensor_item(const esp_tensor *t, double *value) {
  return guard([&] { *value = unwrap(t).item().toDouble(); });
}

esp_result esp_tensor_empty(esp_ints shape, int32_t dtype, int32_t device) {
  return guard([&] { return at::empty(ints(shape), options(dtype, device)); });
}

esp_result esp_tensor_full(esp_ints shape, double value, int32_t dtype, int32_t device) {
  return guard([&] {
    constant here;
    return at::full(ints(shape), value, options(dtype, device));
  });
}

esp_result esp_tensor_arange(int64_t from, int64_t to, int32_t device) {
  return guard([&] {
    constant here;
    return at::arange(from, to, options(static_cast<int32_t>(at::kLong), device));
  });
}

esp_result esp_tensor_places(const esp_tensor *t, int64_t dim) {
  return guard([&] {
    at::Tensor line = unwrap(t);
    if (!at::tracer::impl::is_dispatch_enabled()) return at::arange(line.size(dim), line.options().dtype(at::kLong).requires_grad(false));
    for (int64_t before = at::maybe_wrap_dim(dim, line.dim()); before > 0; before--) line = line.select(0, 0);
    while (line.dim() > 1) line = line.select(1, 0);
    return at::ones_like(line, at::kLong).cumsum(0).sub(1);  // no size passes through here
  });
}

// A copy from pinned memory does not wait for what the GPU has still to do. Larger ones would keep much of the host's memory pinned.
constexpr int64_t pinned_bytes = 32 << 20;

esp_result esp_tensor_from(const void *data, int64_t bytes, esp_ints shape, int32_t dtype, int32_t device) {
  return guard([&] {
    constant here;
    at::Device to = device_of(device);
    bool pinned = to.is_cuda() && bytes > 0 && bytes <= pinned_bytes;
    at::Tensor x = at::empty(ints(shape), options(dtype, ESP_CPU).pinned_memory(pinned));
    TORCH_CHECK(static_cast<int64_t>(x.nbytes()) == bytes, "shape ", x.sizes(), " needs ", x.nbytes(), " bytes, ", bytes,
                " given");
    if (bytes > 0) std::memcpy(x.data_ptr(), data, bytes);
    return device == ESP_CPU ? x : x.to(to, x.scalar_type(), /*non_blocking=*/pinned);
  });
}

esp_result esp_tensor_borrow(void *data, esp_ints shape, int32_t dtype) {
  return guard([&] { return at::from_blob(data, ints(shape), options(dtype, -1)); });
}

esp_result esp_tensor_to_dtype(const esp_tensor *t, int32_t dtype) {
  return guard([&] { return unwrap(t).to(dtype_of(dtype)); });
}

esp_result esp_tensor_to_device(const esp_tensor *t, int32_t device) {
  return guard([&] { return unwrap(t).to(device_of(device)); });
}

esp_result esp_tensor_clone(const esp_tensor *t) {
  return guard([&] { return unwrap(t).clone(at::MemoryFormat::Contiguous); });
}

esp_result esp_tensor_detach(const esp_tensor *t) {
  return guard([&] { return unwrap(t).detach(); });
}

esp_status esp_generator_new(uint64_t seed, int32_t device, esp_generator **out) {
  return guard([&] {
    // Always of the CPU: the numbers of a seed are then the same on every device.
    TORCH_CHECK(device == ESP_CPU, "generators live on the CPU; move what they draw");
    *out = reinterpret_cast<esp_generator *>(new at::Generator(at::detail::createCPUGenerator(seed)));
  });
}

void esp_generator_free(esp_generator *g) { delete reinterpret_cast<at::Generator *>(g); }

esp_result esp_tensor_randn(esp_ints shape, esp_generator *g) {
  return guard([&] { return at::randn(ints(shape), *reinterpret_cast<at::Generator *>(g), at::TensorOptions(at::kFloat)); });
}

esp_result esp_tensor_rand(esp_ints shape, esp_generator *g) {
  return guard([&] { return at::rand(ints(shape), *reinterpret_cast<at::Generator *>(g), at::TensorOptions(at::kFloat)); });
}
