// Reductions.
#include "internal.h"

using namespace espalier;

esp_result esp_tensor_sum(const esp_tensor *t, esp_ints dims, int32_t keep) {
  return guard([&] { return dims.count ? unwrap(t).sum(ints(dims), keep) : unwrap(t).sum(); });
}

esp_result esp_tensor_mean(const esp_tensor *t, esp_ints dims, int32_t keep) {
  return guard([&] { return dims.count ? unwrap(t).mean(ints(dims), keep) : unwrap(t).mean(); });
}

esp_result esp_tensor_amax(const esp_tensor *t, esp_ints dims, int32_t keep) {
  return guard([&] { return unwrap(t).amax(ints(dims), keep); });
}

esp_result esp_tensor_argmax(const esp_tensor *t, int64_t dim) {
  return guard([&] { return unwrap(t).argmax(dim); });
}

esp_result esp_tensor_logsumexp(const esp_tensor *t, int64_t dim) {
  return guard([&] { return unwrap(t).logsumexp(dim); });
}

esp_result esp_tensor_cumsum(const esp_tensor *t, int64_t dim) {
  return guard([&] { return unwrap(t).cumsum(dim); });
}

esp_result esp_tensor_all(const esp_tensor *t) {
  return guard([&] { return unwrap(t).all(); });
}

esp_result esp_tensor_any(const esp_tensor *t) {
  return guard([&] { return unwrap(t).any(); });
}

esp_status esp_tensor_topk(const esp_tensor *t, int64_t k, int64_t dim, esp_tensor **values, esp_tensor **indices) {
  return guard([&] {
    auto [v, i] = unwrap(t).topk(k, dim);
    esp_tensor *first = wrap(std::move(v));
    *indices = wrap(std::move(i));
    *values = first;
  });
}
