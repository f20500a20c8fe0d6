// Operations that rearrange or pick elements.
#include <ATen/TracerMode.h>

#include "internal.h"

using namespace espalier;

esp_result esp_tensor_reshape(const esp_tensor *t, esp_ints shape) {
  return guard([&] { return unwrap(t).reshape(ints(shape)); });
}

esp_result esp_tensor_flatten(const esp_tensor *t, int64_t from, int64_t to) {
  return guard([&] { return unwrap(t).flatten(from, to); });
}

esp_result esp_tensor_unflatten(const esp_tensor *t, int64_t dim, esp_ints sizes) {
  return guard([&] { return unwrap(t).unflatten(dim, ints(sizes)); });
}

esp_result esp_tensor_transpose(const esp_tensor *t, int64_t a, int64_t b) {
  return guard([&] { return unwrap(t).transpose(a, b); });
}

esp_result esp_tensor_permute(const esp_tensor *t, esp_ints dims) {
  return guard([&] { return unwrap(t).permute(ints(dims)); });
}

esp_result esp_tensor_unsqueeze(const esp_tensor *t, int64_t dim) {
  return guard([&] { return unwrap(t).unsqueeze(dim); });
}

esp_result esp_tensor_squeeze(const esp_tensor *t, int64_t dim) {
  return guard([&] { return unwrap(t).squeeze(dim); });
}

esp_result esp_tensor_expand(const esp_tensor *t, esp_ints shape) {
  return guard([&] { return unwrap(t).expand(ints(shape)); });
}

esp_result esp_tensor_expand_first(const esp_tensor *t, const esp_tensor *like) {
  return guard([&] {
    std::vector<c10::SymInt> shape(unwrap(t).dim(), -1);
    TORCH_CHECK(!shape.empty(), "a scalar has no first dimension");
    shape[0] = unwrap(like).sym_size(0);
    if (at::tracer::impl::is_dispatch_enabled()) record_size("size", unwrap(t).dim(), 0, unwrap(like), 0);
    return unwrap(t).expand_symint(shape);
  });
}

esp_result esp_tensor_repeat_interleave(const esp_tensor *t, int64_t times, int64_t dim) {
  return guard([&] { return unwrap(t).repeat_interleave(times, dim); });
}

esp_result esp_tensor_narrow(const esp_tensor *t, int64_t dim, int64_t from, int64_t count) {
  return guard([&] { return unwrap(t).narrow(dim, from, count); });
}

esp_result esp_tensor_slice(const esp_tensor *t, int64_t dim, int64_t from, int64_t to) {
  return guard([&] { return unwrap(t).slice(dim, from, to); });
}

esp_result esp_tensor_select(const esp_tensor *t, int64_t dim, int64_t index) {
  return guard([&] { return unwrap(t).select(dim, index); });
}

esp_result esp_tensor_contiguous(const esp_tensor *t) {
  return guard([&] { return unwrap(t).contiguous(); });
}

esp_result esp_tensors_cat(esp_tensors ts, int64_t dim) {
  return guard([&] { return at::cat(list(ts), dim); });
}

esp_result esp_tensor_index_select(const esp_tensor *t, int64_t dim, const esp_tensor *index) {
  return guard([&] { return unwrap(t).index_select(dim, unwrap(index)); });
}

esp_result esp_tensor_gather(const esp_tensor *t, int64_t dim, const esp_tensor *index) {
  return guard([&] { return unwrap(t).gather(dim, unwrap(index)); });
}

esp_result esp_tensor_scatter(const esp_tensor *t, int64_t dim, const esp_tensor *index, double value) {
  return guard([&] { return unwrap(t).scatter(dim, unwrap(index), value); });
}

esp_result esp_tensor_index_copy(const esp_tensor *t, int64_t dim, const esp_tensor *index, const esp_tensor *source) {
  return guard([&] { return unwrap(t).index_copy(dim, unwrap(index), unwrap(source)); });
}

esp_result esp_tensor_masked_fill(const esp_tensor *t, const esp_tensor *mask, double value) {
  return guard([&] { return unwrap(t).masked_fill(unwrap(mask), value); });
}

esp_result esp_tensor_masked_scatter(const esp_tensor *t, const esp_tensor *mask, const esp_tensor *source) {
  return guard([&] { return unwrap(t).masked_scatter(unwrap(mask), unwrap(source)); });
}

esp_result esp_tensor_where(const esp_tensor *condition, const esp_tensor *a, const esp_tensor *b) {
  return guard([&] { return at::where(unwrap(condition), unwrap(a), unwrap(b)); });
}
