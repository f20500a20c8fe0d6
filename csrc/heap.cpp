// The host's memory of tensors. glibc puts it among the small objects of a graph, which live longer and keep what is freed between them apart:
// the memory of a training step was a sixth larger so, with recomputed blocks a half. Here large tensors have a heap of their own, of huge
// pages where the system has them: looking addresses up took a tenth of a step (docs/decisions.md, "A heap for tensors").
#include "heap.h"

#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <mutex>
#include <new>
#include <set>
#include <utility>

namespace espalier {

namespace {

constexpr size_t page = 4096, huge_page = 2 << 20, head = 64;
constexpr size_t least = 16 << 10, most = 1 << 30;  // bytes of a tensor here; larger ones are few, and go back to the system at once
constexpr size_t least_left = 64 << 10;             // of a block that is divided
constexpr size_t idle = size_t(2) << 30;            // bytes behind the last tensor that the system gets back

bool is_limited() {
  rlimit limit;
  for (auto what : {RLIMIT_AS, RLIMIT_DATA})
    if (getrlimit(what, &limit) || limit.rlim_cur != RLIM_INFINITY) return true;
  return false;
}

// counts_addresses tells whether the system charges addresses that are not in use (vm.overcommit_memory = 2).
bool counts_addresses() {
  std::ifstream file("/proc/sys/vm/overcommit_memory");
  int mode = 2;
  file >> mode;
  return mode == 2;
}

// heap is a range of addresses that is filled from its beginning. A tensor takes the smallest free block that is large enough, and
// free neighbours become one.
class heap {
 public:
  heap() {
#ifndef __SANITIZE_ADDRESS__
    // Of a limited process it would take all addresses; parts of larger pages cannot be given back.
    if (is_limited() || counts_addresses() || sysconf(_SC_PAGESIZE) != page) return;
    size_t size = size_t(sysconf(_SC_PHYS_PAGES)) * page;
    void *range = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED) return;
    end_ = static_cast<char *>(range) + size;
    begin_ = top_ = touched_ = reinterpret_cast<char *>((reinterpret_cast<uintptr_t>(range) + huge_page - 1) / huge_page * huge_page);
    madvise(begin_, end_ - begin_, MADV_HUGEPAGE);  // where the system has none, all works without
#endif
  }

  bool is_there() const { return begin_; }
  bool has(const void *p) const { return p >= begin_ && p < end_; }

  // take gives memory, or nullptr where there is none.
  void *take(size_t size) {
    std::lock_guard<std::mutex> one(lock_);
    size = (size + head + page - 1) / page * page;
    auto found = free_.lower_bound({size, nullptr});
    block *b = found != free_.end() ? found->second : grown(size);
    if (!b) return nullptr;
    claim(b);
    if (b->size - size >= least_left) {
      auto *rest = new (reinterpret_cast<char *>(b) + size) block{b->size - size, b, b->after};
      (rest->after ? rest->after->before : last_) = rest;
      b->after = rest;
      b->size = size;
      keep(rest);
    }
    return reinterpret_cast<char *>(b) + head;
  }

  void give(void *p) {
    std::lock_guard<std::mutex> one(lock_);
    auto *b = reinterpret_cast<block *>(static_cast<char *>(p) - head);
    if (b->after && b->after->is_free) unite(b, b->after);
    if (b->before && b->before->is_free) {
      b = b->before;
      unite(b, b->after);
    }
    if (b->after) return keep(b);
    drop(b);
    if (touched_ - top_ > ptrdiff_t(idle)) return_idle();
  }

  void trim() {
    std::lock_guard<std::mutex> one(lock_);
    for (auto [size, b] : free_) madvise(reinterpret_cast<char *>(b) + page, size - page, MADV_DONTNEED);
    return_idle();
  }

 private:
  // block lies before its memory. Blocks fill the heap up to its top; the last one is never free.
  struct block {
    size_t size;  // with this
    block *before = nullptr, *after = nullptr;
    bool is_free = false;
  };
  static_assert(sizeof(block) <= head);

  block *grown(size_t size) {
    if (size > size_t(end_ - top_)) return nullptr;
    // A limit that came later holds for what the system has not given yet.
    if (top_ + size > touched_ && is_limited()) return nullptr;
    auto *b = new (top_) block{size, last_};
    if (last_) last_->after = b;
    last_ = b;
    top_ += size;
    touched_ = std::max(touched_, top_);
    return b;
  }

  // keep notes a free block. Where there is no memory for the note, it is found again when a neighbour becomes free.
  void keep(block *b) {
    b->is_free = true;
    try {
      free_.insert({b->size, b});
    } catch (const std::bad_alloc &) {
    }
  }

  void claim(block *b) {
    if (b->is_free) free_.erase({b->size, b});
    b->is_free = false;
  }

  // unite joins b with the free block behind it; b itself may be free.
  void unite(block *b, block *behind) {
    claim(b);
    claim(behind);
    b->size += behind->size;
    b->after = behind->after;
    (b->after ? b->after->before : last_) = b;
  }

  // drop takes the last block away.
  void drop(block *b) {
    top_ = reinterpret_cast<char *>(b);
    last_ = b->before;
    if (last_) last_->after = nullptr;
  }

  // return_idle gives back what lies behind the last block.
  void return_idle() {
    if (top_ < touched_) madvise(top_, touched_ - top_, MADV_DONTNEED);
    touched_ = top_;
  }

  std::mutex lock_;
  std::set<std::pair<size_t, block *>> free_;  // by size
  block *last_ = nullptr;
  char *begin_ = nullptr, *top_ = nullptr, *touched_ = nullptr, *end_ = nullptr;  // what lies behind touched_ was never used or given back
};

// The last tensors may be freed while a process ends.
heap &tensors = *new heap;

void give(void *p) { tensors.give(p); }
void give_either(void *p) { tensors.has(p) ? tensors.give(p) : c10::GetDefaultCPUAllocator()->raw_deleter()(p); }

struct allocator : c10::Allocator {
  c10::DataPtr allocate(size_t n) override {
    if (n >= least && n <= most)
      if (void *p = tensors.take(n)) return {p, p, &give, c10::Device(c10::DeviceType::CPU)};
    return c10::GetDefaultCPUAllocator()->allocate(n);
  }
  c10::DeleterFnPtr raw_deleter() const override { return &give_either; }
  void copy_data(void *to, const void *from, size_t n) const override { default_copy_data(to, from, n); }
};

struct beginning {
  beginning() {
    if (tensors.is_there()) c10::SetCPUAllocator(new allocator, /*priority=*/1);
  }
} beginning;

}  // namespace

void trim_tensors() { tensors.trim(); }

}  // namespace espalier
