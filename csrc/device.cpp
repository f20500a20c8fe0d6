// Devices: CUDA is loaded at run time, so that one build serves machines with and without it.
#include <dlfcn.h>
#include <unistd.h>

#include <mutex>

#include "internal.h"

using namespace espalier;

namespace {

// libtorch_cuda lies beside the libtorch_cpu that is loaded.
std::string cuda_library() {
  Dl_info info;
  auto *known = reinterpret_cast<void *>(&at::native::empty_cpu);
  if (!dladdr(known, &info) || !info.dli_fname) return "libtorch_cuda.so";
  std::string path = info.dli_fname;
  return path.substr(0, path.rfind('/') + 1) + "libtorch_cuda.so";
}

// Loads libtorch's CUDA library where it is installed, once, and gives what went wrong or "".
const std::string &load_cuda() {
  static std::once_flag once;
  static std::string fault;
  std::call_once(once, [] {
    std::string path = cuda_library();
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
