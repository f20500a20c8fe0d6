// The library itself: version, errors, scopes, threads and the heap's habits.
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <dlfcn.h>
#include <malloc.h>
#include <sys/resource.h>
#include <torch/version.h>

#include "heap.h"
#include "internal.h"

using namespace espalier;

namespace espalier {

std::atomic<int64_t> live_tensors{0};
thread_local int32_t current_scope = 0;

// What can still be said when not even an error can be allocated.
static esp_error out_of_memory{ESP_ERROR_MEMORY, nullptr};

esp_error *new_error(int32_t kind, const std::string &message) {
  char *copy = strdup(message.c_str());
  auto *e = copy ? new (std::nothrow) esp_error{kind, copy} : nullptr;
  if (e) return e;
  free(copy);
  return &out_of_memory;
}

// Libraries report a failed allocation each in its own words: libtorch's CPU allocator, oneDNN (what fails of a primitive whose
// description was accepted is its memory), POSIX.
static bool is_allocation(const std::string &message) {
  if (message == "could not create a primitive" || message == "could not execute a primitive") return true;
  for (const char *words : {"DefaultCPUAllocator", "not enough memory", "could not create a memory", "out of memory", "out_of_memory",
                            "Cannot allocate memory", "bad_alloc"})
    if (message.find(words) != std::string::npos) return true;
  return false;
}

static esp_error *plain_error(std::string message) {
  size_t allocator = message.find("DefaultCPUAllocator");  // an assertion stands before it
  if (allocator != std::string::npos) message = message.substr(allocator);
  return new_error(is_allocation(message) ? ESP_ERROR_MEMORY : ESP_ERROR_RUNTIME, message);
}

static esp_error *described_exception() {
  try {
    throw;
  } catch (const callback_error &e) {
    return new_error(e.kind, e.what());
  } catch (const c10::OutOfMemoryError &e) {
    return new_error(ESP_ERROR_MEMORY, e.what_without_backtrace());
  } catch (const c10::IndexError &e) {
    return new_error(ESP_ERROR_INDEX, e.what_without_backtrace());
  } catch (const c10::TypeError &e) {
    return new_error(ESP_ERROR_TYPE, e.what_without_backtrace());
  } catch (const c10::NotImplementedError &e) {
    return new_error(ESP_ERROR_UNSUPPORTED, e.what_without_backtrace());
  } catch (const c10::Error &e) {
    return plain_error(e.what_without_backtrace());
  } catch (const std::bad_alloc &) {
    return new_error(ESP_ERROR_MEMORY, "out of memory");
  } catch (const std::exception &e) {
    return plain_error(e.what());
  } catch (...) {
    return new_error(ESP_ERROR_RUNTIME, "unknown C++ exception");
  }
}

esp_error *current_exception_error() {
  try {
    return described_exception();
  } catch (...) {  // there was no memory to describe it in
    return &out_of_memory;
  }
}

}  // namespace espalier

namespace {

// glibc maps and unmaps fresh pages for every larger block by default; with intermediates that live to the end of a
// scope this made inference a third slower than Python's. Where tensors have no heap of their own (heap.cpp), and for all that is no
// tensor, large blocks stay in glibc's heap instead.
__attribute__((constructor)) void keep_large_blocks() {
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 2047 << 20);
  // For each thread glibc sets 64 MiB of addresses aside, which a limited process (ulimit -v) has better uses for.
  rlimit limit;
  if (!getrlimit(RLIMIT_AS, &limit) && limit.rlim_cur != RLIM_INFINITY) mallopt(M_ARENA_MAX, 1);
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
  if (!e || e == &out_of_memory) return;
  free(e->message);
  delete e;
}

// How many threads an operation may use belongs to a thread of the system in OpenMP and MKL, and Go moves goroutines between these: one that had
// another number once would divide sums in another way. So each takes the number that holds when a scope begins on it.
namespace {

std::atomic<int> threads{0};       // of the process; 0: libtorch's own choice
thread_local int own_threads = 0;  // of this thread alone; 0: the process's
thread_local int taken_threads = 0;

void take_threads() {
  const int want = own_threads ? own_threads : threads.load(std::memory_order_relaxed);
  if (!want || want == taken_threads) return;
  // libtorch sets the number that any thread set last at a thread's first use, and the functions in its headers at their own first use.
  at::get_num_threads();
  at::internal::lazy_init_num_threads();
  at::set_num_threads(want);
  taken_threads = want;
}

}  // namespace

int32_t esp_scope_set(int32_t scope) {
  if (scope) take_threads();
  int32_t before = current_scope;
  current_scope = scope;
  return before;
}

int64_t esp_live_tensors(void) { return live_tensors.load(); }

esp_status esp_threads_set(int64_t n) {
  return guard([&] {
    // OpenMP ends the process when it cannot start as many threads as it was told.
    TORCH_CHECK(n >= 1 && n <= 1024, n, " threads: give 1 to 1024");
    threads = static_cast<int>(n);
    take_threads();
  });
}

esp_number esp_threads_own(int64_t n) {
  return guard([&] {
    TORCH_CHECK(n >= 0 && n <= 1024, n, " threads: give 1 to 1024, or 0 for those of all");
    if (!threads) threads = at::get_num_threads();
    const int before = own_threads;
    own_threads = static_cast<int>(n);
    take_threads();
    return before;
  });
}

esp_number esp_threads_get(void) {
  return guard([] {
    take_threads();
    return at::get_num_threads();
  });
}

esp_status esp_memory_trim(void) {
  return guard([] {
    trim_tensors();
    malloc_trim(0);
  });
}
