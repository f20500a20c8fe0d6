// Addresses of the test device are pages without any access, ever: the elements lie at the same places of a second
// region, which kernels alone know of. Whoever follows a device's address on the host is told so, and ends.
#include "memory.h"

#include <c10/util/Exception.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <mutex>
#include <vector>

namespace testdevice {

namespace {

constexpr size_t region = size_t{1} << 40;  // addresses; no memory is taken before it is written
constexpr int smallest = 6, largest = 36;   // blocks have 2^6 to 2^36 bytes; libtorch's kernels like 64 as alignment

char *pages, *elements;  // the regions: what the host may not touch, and what is there
struct sigaction before;

void fault(int signal, siginfo_t *info, void *context) {
  auto *at = static_cast<char *>(info->si_addr);
  if (at >= pages && at < pages + region) {
    constexpr char words[] = "host access to the memory of the test device\n";
    [[maybe_unused]] ssize_t written = write(STDERR_FILENO, words, sizeof words - 1);
  }
  // Go's handler, which shows where; it was there first.
  if (before.sa_flags & SA_SIGINFO) return before.sa_sigaction(signal, info, context);
  sigaction(signal, &before, nullptr);  // the default: the access is made again, and ends the process
}

void *reserve(int access) {
  void *at = mmap(nullptr, region, access, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  TORCH_CHECK_WITH(OutOfMemoryError, at != MAP_FAILED, "test device: out of memory (no addresses)");
  return at;
}

// Not before the first tensor: tests limit the addresses of a process.
void open() {
  static std::once_flag once;
  std::call_once(once, [] {
    elements = static_cast<char *>(reserve(PROT_READ | PROT_WRITE));
    pages = static_cast<char *>(reserve(PROT_NONE));
    struct sigaction ours {};
    ours.sa_sigaction = fault;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;  // on Go's stack for signals
    sigaction(SIGSEGV, &ours, &before);
  });
}

struct block {
  size_t offset;
  int size;  // 2^size bytes
};

// Blocks go back to a list of their size, as those of CUDA's allocator do.
struct blocks final : c10::Allocator {
  std::mutex mutex;
  std::vector<block *> unused[largest + 1];
  size_t end = 0;

  c10::DataPtr allocate(size_t bytes) override {
    open();
    if (!bytes) return {nullptr, device()};
    block *b = take(bytes);
    return {pages + b->offset, b, [](void *b) { give(static_cast<block *>(b)); }, device()};
  }

  block *take(size_t bytes) {
    int size = smallest;
    while (size <= largest && (size_t{1} << size) < bytes) size++;
    std::lock_guard<std::mutex> lock(mutex);
    TORCH_CHECK_WITH(OutOfMemoryError, size <= largest && end + (size_t{1} << size) <= region, "test device: out of memory (", bytes, " bytes)");
    if (!unused[size].empty()) {
      block *b = unused[size].back();
      unused[size].pop_back();
      return b;
    }
    auto *b = new block{end, size};
    end += size_t{1} << size;
    return b;
  }

  static void give(block *b);

  void copy_data(void *to, const void *from, size_t bytes) const override { default_copy_data(on_host(to), on_host(from), bytes); }
};

blocks &memory() {
  static auto *all = new blocks;  // never gone: tensors may outlive main
  return *all;
}

void blocks::give(block *b) {
  std::lock_guard<std::mutex> lock(memory().mutex);
  memory().unused[b->size].push_back(b);
}

c10::AllocatorRegisterer<c10::DeviceType::PrivateUse1> registered(&memory());

}  // namespace

c10::Allocator *allocator() { return &memory(); }

void *on_host(const void *address) {
  if (!address) return nullptr;
  size_t offset = static_cast<const char *>(address) - pages;
  TORCH_INTERNAL_ASSERT(offset < region, "no address of the test device");
  return elements + offset;
}

}  // namespace testdevice
