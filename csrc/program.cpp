// Running recorded programs: a part, and the whole greedy loop without a return to Go.
#include "program.h"

#include <ATen/Parallel.h>
#include <ATen/Version.h>

#include <cmath>

using namespace espalier;

namespace espalier {

const kernels &chosen_kernels() {
#ifdef ESPALIER_X86
  static const std::string capability = at::get_cpu_capability();
  if (capability == "AVX2" || capability == "AVX512") return avx2_kernels();
#endif
  return plain_kernels();
}

void floats::reserve(int64_t n) {
  if (n <= size_) return;
  n = (n + 15) / 16 * 16;
  auto *grown = static_cast<float *>(aligned_alloc(64, n * sizeof(float)));
  if (!grown) throw std::bad_alloc();
  if (size_) memcpy(grown, data_, size_ * sizeof(float));
  free(data_);
  data_ = grown;
  size_ = n;
}

}  // namespace espalier

bool esp_program::is_parameter(const at::Tensor &t) const {
  for (const parameter &p : parameters)
    if (p.data == t.const_data_ptr()) return true;
  return false;
}

void esp_program::run(const part &p, frame &f, const void *const *inputs, size_t count) {
  TORCH_CHECK(count == p.inputs.size(), "the part takes ", p.inputs.size(), " inputs, not ", count);
  f.arena.reserve(p.arena);
  f.scratch.reserve(p.scratch);
  f.addresses.resize(p.buffers.size());
  while (f.slots.size() < slots.size()) f.slots.push_back(std::make_unique<floats>());
  for (size_t i = 0; i < slots.size(); i++) f.slots[i]->reserve(slots[i]);
  for (size_t i = 0; i < p.buffers.size(); i++) {
    const buffer &b = p.buffers[i];
    switch (b.kind) {
      case buffer::temporary:
        f.addresses[i] = f.arena.data() + b.offset;
        break;
      case buffer::input:
        f.addresses[i] = const_cast<void *>(inputs[b.index]);
        break;
      case buffer::slot:
        f.addresses[i] = f.slots[b.index]->data();
        break;
      case buffer::constant:
        f.addresses[i] = const_cast<void *>(b.data);
    }
  }
  for (const instruction &run : p.instructions) run(f.addresses.data(), f.scratch.data());
}

namespace {

// lent is a frame of a program for as long as a thread computes in it.
class lent {
 public:
  explicit lent(esp_program &p) : program_(p) {
    std::lock_guard<std::mutex> held(p.lock);
    if (p.idle.empty()) {
      frame_ = std::make_unique<frame>();
      return;
    }
    frame_ = std::move(p.idle.back());
    p.idle.pop_back();
  }
  ~lent() {
    std::lock_guard<std::mutex> held(program_.lock);
    program_.idle.push_back(std::move(frame_));
  }
  frame &operator*() { return *frame_; }

 private:
  esp_program &program_;
  std::unique_ptr<frame> frame_;
};

// The largest is the first of its like, and a NaN is larger than any number, as with libtorch's argmax.
int64_t largest(const float *x, int64_t n, const std::vector<char> &out) {
  int64_t best = -1;
  for (int64_t i = 0; i < n; i++)
    if (out.empty() || !out[i])
      if (best < 0 || x[i] > x[best] || (std::isnan(x[i]) && !std::isnan(x[best]))) best = i;
  return std::max<int64_t>(best, 0);
}

double log_probability(const float *x, int64_t n, int64_t of, const std::vector<char> &out) {
  double most = x[of], sum = 0;
  for (int64_t i = 0; i < n; i++)
    if (out.empty() || !out[i]) most = std::max<double>(most, x[i]);
  for (int64_t i = 0; i < n; i++)
    if (out.empty() || !out[i]) sum += std::exp(x[i] - most);
  return x[of] - most - std::log(sum);
}

// asking is one call: what is asked, and which part is missing for it, if one is.
struct asking {
  esp_program &program;
  const esp_questions &asked;
  const float *pictures;
  int64_t picture_size;
  std::mutex lock;
  bool lacks = false;
  part_key missing{};

  const part *find(part_key key) {
    auto found = program.parts.find(key);
    if (found != program.parts.end()) return &found->second;
    std::lock_guard<std::mutex> held(lock);
    lacks = true;
    missing = key;
    return nullptr;
  }

  // start is where a question's numbers begin in the lists.
  struct start {
    int64_t question, word, instruction;
  };

  // picture answers those questions of one that have no answer yet; it returns where a part is missing.
  void picture(frame &f, int64_t index, start at) {
    bool read = !pictures;
    for (int64_t end = at.question + asked.counts.data[index]; at.question < end; at = after(at)) {
      if (asked.tokens[at.question] >= 0) continue;
      if (!read) {
        const part *p = find({ESP_PART_PICTURE, 0, 0});
        if (!p) return;
        const void *in = pictures + index * picture_size;
        TORCH_CHECK(p->inputs.size() == 1 && p->inputs[0] == picture_size, "the program was recorded with pictures of ", p->inputs[0],
                    " numbers, and these have ", picture_size);
        program.run(*p, f, &in, 1);
        read = true;
      }
      if (!answer(f, at)) return;
    }
  }

  start after(start a) const {
    a.word += asked.lengths.data[a.question];
    if (asked.instruction_lengths.count) a.instruction += asked.instruction_lengths.data[a.question];
    a.question++;
    return a;
  }

  bool answer(frame &f, start at) {
    int64_t *answer = asked.answers + at.question * asked.max_tokens;
    const int64_t length = asked.lengths.data[at.question], instructions = asked.instruction_lengths.count ? asked.instruction_lengths.data[at.question] : 0;
    const void *in[] = {asked.ids.data + at.word, asked.instruction_ids.data + at.instruction};
    size_t inputs = instructions ? 2 : 1;
    part_key key = {ESP_PART_QUESTION, length, instructions};
    std::vector<char> out;
    for (int64_t n = 0;; n++) {
      const part *p = find(key);
      if (!p) return false;
      program.run(*p, f, in, inputs);
      const float *logits = static_cast<float *>(f.addresses[p->logits]) + p->logits_offset;
      out.clear();
      if (n < asked.min_tokens) {
        out.resize(p->vocabulary);
        for (int64_t end : ints(asked.ends))
          if (end >= 0 && end < p->vocabulary) out[end] = 1;
      }
      answer[n] = largest(logits, p->vocabulary, out);
      if (asked.log_probs) asked.log_probs[at.question * asked.max_tokens + n] = log_probability(logits, p->vocabulary, answer[n], out);
      bool ended = false;
      for (int64_t end : ints(asked.ends)) ended = ended || answer[n] == end;
      if (ended || n + 1 == asked.max_tokens) {
        asked.tokens[at.question] = ended ? n : n + 1;
        return true;
      }
      in[0] = answer + n;
      inputs = 1;
      key = {ESP_PART_STEP, (asked.encoder ? 1 : asked.prefix + length) + n, asked.encoder ? length : 0};
    }
  }
};

// Tensors of inference mode do not count what is written to them.
uint32_t version_of(const at::Tensor &t) { return t.is_inference() ? 0 : t._version(); }

}  // namespace

esp_status esp_program_answer(esp_program *p, const esp_tensor *pictures, esp_questions asked, int32_t *lacks, esp_part *missing) {
  return guard([&] {
    int64_t count = asked.counts.count;
    asking a{*p, asked, nullptr, 0};
    if (pictures) {
      const at::Tensor &t = unwrap(pictures);
      TORCH_CHECK(t.is_cpu() && t.scalar_type() == at::kFloat && t.is_contiguous(), "the pictures are not contiguous float32 on the CPU");
      TORCH_CHECK(t.dim() > 0 && t.size(0) == count, "questions of ", count, " pictures, and pictures ", t.sizes());
      a.pictures = t.const_data_ptr<float>();
      a.picture_size = count ? t.numel() / count : 0;
    }
    std::vector<asking::start> starts(count + 1);
    TORCH_CHECK(!asked.instruction_lengths.count || asked.instruction_lengths.count == asked.lengths.count, "not every question has an instruction");
    for (int64_t i = 0; i < count; i++) {
      starts[i + 1] = starts[i];
      TORCH_CHECK(starts[i].question + asked.counts.data[i] <= asked.lengths.count, "there are more questions than lengths");
      for (int64_t q = 0; q < asked.counts.data[i]; q++) starts[i + 1] = a.after(starts[i + 1]);
    }
    TORCH_CHECK(starts[count].word == asked.ids.count && starts[count].instruction == asked.instruction_ids.count, "the tokens are not as many as the lengths say");
    at::parallel_for(0, count, 1, [&](int64_t from, int64_t to) {
      lent f(*p);
      for (int64_t i = from; i < to; i++) a.picture(*f, i, starts[i]);
    });
    *lacks = a.lacks;
    *missing = {a.missing[0], a.missing[1], a.missing[2]};
  });
}

esp_status esp_program_new(esp_tensors parameters, esp_program **out) {
  return guard([&] {
    auto p = std::make_unique<esp_program>();
    for (const at::Tensor &t : list(parameters)) {
      TORCH_CHECK(t.is_cpu(), "a parameter is not on the CPU");
      TORCH_CHECK(t.scalar_type() == at::kFloat, "a parameter is ", t.scalar_type(), ", and programs compute in float32 alone");
      p->parameters.push_back({c10::weak_intrusive_ptr<c10::TensorImpl, at::UndefinedTensorImpl>(t.getIntrusivePtr()), t.const_data_ptr(), version_of(t)});
    }
    *out = p.release();
  });
}

void esp_program_free(esp_program *p) { delete p; }

// A parameter that was replaced or written to since is not the one that the program has packed.
esp_number esp_program_is_fresh(const esp_program *p, esp_tensors parameters) {
  return guard([&] {
    if (parameters.count != static_cast<int64_t>(p->parameters.size())) return 0;
    for (int64_t i = 0; i < parameters.count; i++) {
      const at::Tensor &t = unwrap(parameters.data[i]);
      const esp_program::parameter &was = p->parameters[i];
      if (t.unsafeGetTensorImpl() != was.impl._unsafe_get_target() || t.const_data_ptr() != was.data) return 0;
      if (version_of(t) != was.version) return 0;
    }
    return 1;
  });
}
