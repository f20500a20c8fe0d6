// Devices: CUDA is loaded at run time, so that one build serves machines with and without it.
#include <dlfcn.h>
#include <unistd.h>

#include <mutex>

#include "internal.h"

using namespace espalier;

namespace {

// beside is the path of a library in the folder of the one that holds a known function.
std::string beside(void *known, const char *library) {
  Dl_info info;
  if (!dladdr(known, &info) || !info.dli_fname) return library;
  std::string path = info.dli_fname;
  return path.substr(0, path.rfind('/') + 1) + library;
}

// Loads libtorch's CUDA library where it is installed, once, and gives what went wrong or "".
const std::string &load_cuda() {
  static std::once_flag once;
  static std::string fault;
  std::call_once(once, [] {
    std::string path = beside(reinterpret_cast<void *>(&at::native::empty_cpu), "libtorch_cuda.so");
    bool installed = access(path.c_str(), R_OK) == 0;  // a libtorch for CPUs has none, and that is no fault
    if (dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL)) {
      at::globalContext().setAllowTF32CuDNN(false);  // or float32 convolutions would round their operands to 11 bits
      at::globalContext().setDeterministicCuDNN(true);
    } else if (installed) {
      fault = dlerror();
    }
  });
  return fault;
}

}  // namespace

esp_status esp_cuda_prepare(void) {
  return guard([] { load_cuda(); });
}

esp_status esp_cuda_load(int32_t *count) {
  return guard([&] {
    const std::string &fault = load_cuda();
    TORCH_CHECK(fault.empty(), "libtorch's CUDA library cannot be loaded: ", fault);
    *count = at::hasCUDA() ? static_cast<int32_t>(at::detail::getCUDAHooks().deviceCount()) : 0;
  });
}

esp_status esp_cuda_synchronize(int32_t device) {
  return guard([&] {
    at::Device on = device_of(device);
    if (on.is_cuda()) at::detail::getCUDAHooks().deviceSynchronize(on.index());
  });
}

esp_number esp_test_device_load(void) {
  return guard([] {
    // libtorch knows one device of others, for good: it is loaded once and never closed.
    static const bool loaded = [] {
      std::string path = beside(reinterpret_cast<void *>(&esp_test_device_load), "libespalier_testdevice.so");
      if (access(path.c_str(), R_OK) != 0) return false;  // nothing installs it
      TORCH_CHECK(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL), "the test device cannot be loaded: ", dlerror());
      return true;
    }();
    return loaded;
  });
}
