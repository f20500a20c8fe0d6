// The library itself: version, errors, scopes, threads and the heap's habits.
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <dlfcn.h>
#include <malloc.h>
#include <torch/version.h>

#include "internal.h"

using namespace espalier;

namespace espalier {

std::atomic<int64_t> live_tensors{0};
thread_local int32_t current_scope = 0;

esp_error *new_error(int32_t kind, const std::string &message) {
  auto *e = new esp_error{kind, strdup(message.c_str())};
  return e;
}

esp_error *current_exception_error() {
  try {
    throw;
  } catch (const callback_error &e) {
    return new_error(ESP_ERROR_CALLBACK, e.what());
  } catch (const c10::OutOfMemoryError &e) {
    return new_error(ESP_ERROR_MEMORY, e.what_without_backtrace());
  } catch (const c10::IndexError &e) {
    return new_error(ESP_ERROR_INDEX, e.what_without_backtrace());
  } catch (const c10::TypeError &e) {
    return new_error(ESP_ERROR_TYPE, e.what_without_backtrace());
  } catch (const c10::NotImplementedError &e) {
    return new_error(ESP_ERROR_UNSUPPORTED, e.what_without_backtrace());
  } catch (const c10::Error &e) {
    // libtorch's CPU allocator reports a failed allocation as a plain error.
    std::string message = e.what_without_backtrace();
    size_t allocator = message.find("DefaultCPUAllocator");
    if (allocator != std::string::npos) return new_error(ESP_ERROR_MEMORY, message.substr(allocator));
    return new_error(ESP_ERROR_RUNTIME, message);
  } catch (const std::bad_alloc &) {
    return new_error(ESP_ERROR_MEMORY, "out of memory");
  } catch (const std::exception &e) {
    return new_error(ESP_ERROR_RUNTIME, e.what());
  } catch (...) {
    return new_error(ESP_ERROR_RUNTIME, "unknown C++ exception");
  }
}

}  // namespace espalier

namespace {

// glibc maps and unmaps fresh pages for every larger block by default; with intermediates that live to the end of a
// scope this made inference a third slower than Python's. Large blocks stay in the heap instead.
__attribute__((constructor)) void keep_large_blocks() {
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 2047 << 20);
}

}  // namespace

int32_t esp_interface_version(void) { return ESP_INTERFACE_VERSION; }

const char *esp_libtorch_version(void) { return TORCH_VERSION; }

esp_status esp_cpu_capability(const char **name) {
  return guard([&] {
    static const std::string capability = at::get_cpu_capability();
    *name = capability.c_str();
  });
}

esp_status esp_shim_path(const char **path) {
  return guard([&] {
    Dl_info info;
    TORCH_CHECK(dladdr(reinterpret_cast<void *>(&esp_shim_path), &info) && info.dli_fname, "the loader does not know this library's file");
    *path = info.dli_fname;  // lives as long as the library
  });
}

void esp_error_free(esp_error *e) {
  if (!e) return;
  free(e->message);
  delete e;
}

int32_t esp_scope_set(int32_t scope) {
  int32_t before = current_scope;
  current_scope = scope;
  return before;
}

int64_t esp_live_tensors(void) { return live_tensors.load(); }

void esp_threads_set(int32_t n) { at::set_num_threads(n); }

int32_t esp_threads_get(void) { return at::get_num_threads(); }

void esp_memory_trim(void) { malloc_trim(0); }
