// Recorded programs: the operations of a forward at fixed sizes, as a list of kernel calls over planned memory.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "internal.h"
#include "products.h"

namespace espalier {

// floats is memory that vectors may be loaded from; it grows and keeps its contents.
class floats {
 public:
  float *data() { return data_; }
  void reserve(int64_t n);
  floats() = default;
  floats(const floats &) = delete;
  floats &operator=(const floats &) = delete;
  ~floats() { free(data_); }

 private:
  float *data_ = nullptr;
  int64_t size_ = 0;
};

// A buffer is memory that instructions work on. A temporary one lives from its first instruction to its last, and shares the
// arena with those that live at other times; a slot outlives the part, such as the keys of a layer.
struct buffer {
  enum kind { temporary, input, slot, constant } kind;
  int64_t index = 0;  // of the input or the slot
  int64_t size = 0;   // floats
  const void *data = nullptr;
  int first = -1, last = -1;  // instructions that touch it
  int64_t offset = 0;         // in the arena
};

using addresses = void *const *;  // of each buffer

// weighted is a product with a packed weight. The weight is read once for the rows of several questions, where they go together.
struct weighted {
  struct spot {
    int buffer = -1;  // none
    int64_t offset = 0;
    float *in(addresses a) const { return buffer < 0 ? nullptr : static_cast<float *>(a[buffer]) + offset; }
  };
  product g;  // without addresses but b's
  spot a, bias, residual, out;
  const kernels *k;

  product at(addresses where) const;
  void run(addresses where) const;
};

using computation = std::function<void(addresses, float *scratch)>;

struct instruction {
  computation run;
  std::shared_ptr<const weighted> product;  // in place of run
};

using part_key = std::array<int64_t, 3>;  // of an esp_part

struct part {
  std::vector<buffer> buffers;
  std::vector<instruction> instructions;
  std::vector<int64_t> inputs;     // elements of each
  std::vector<at::Tensor> keeps;   // constants
  int64_t arena = 0, scratch = 0;  // floats
  int logits = -1;                 // the buffer of the last token's, or -1
  int64_t logits_offset = 0, vocabulary = 0;
};

// frame is what one picture's part is computed in.
struct frame {
  const espalier::part *part = nullptr;  // that is ready
  floats arena, scratch;
  std::vector<std::unique_ptr<floats>> slots;
  std::vector<void *> addresses;
};

}  // namespace espalier

struct esp_program {
  struct parameter {
    c10::weak_intrusive_ptr<c10::TensorImpl, at::UndefinedTensorImpl> impl;  // weak: the address stays taken, the memory does not
    const void *data;
    uint32_t version;
  };
  struct copy {
    at::Tensor of;  // kept where it is no parameter, so that the address stays its own
    at::Tensor plain;
    std::unique_ptr<espalier::floats> packed;
  };

  std::vector<parameter> parameters;
  std::map<espalier::part_key, espalier::part> parts;
  std::map<const void *, copy> copies;  // of weights, by the address of the original: all parts share them
  std::vector<int64_t> slots;           // floats
  std::mutex lock;                      // of what follows
  std::vector<std::unique_ptr<espalier::frame>> idle;

  bool is_parameter(const at::Tensor &t) const;
  // ready gives a part its inputs and its memory in a frame; run computes what is ready, frames with equal parts together.
  // What is temporary lies in the arena.
  void ready(const espalier::part &p, espalier::frame &f, espalier::floats &arena, const void *const *inputs, size_t count) const;
  static void run(const std::vector<espalier::frame *> &frames);
};
