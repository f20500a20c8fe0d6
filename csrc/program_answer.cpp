// Greedy answers by a recorded program, the whole loop without a return to Go.
#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "program.h"

using namespace espalier;

namespace {

constexpr int64_t pictures_at_once = 16;  // pictures whose tokens a thread computes at once

// lent is a frame of a program for as long as a picture is answered in it.
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
    if (!frame_) return;  // it was moved
    std::lock_guard<std::mutex> held(program_.lock);
    program_.idle.push_back(std::move(frame_));
  }
  lent(lent &&) = default;
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
  std::atomic<bool> lacks{false};
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

  start after(start a) const {
    a.word += asked.lengths.data[a.question];
    if (asked.instruction_lengths.count) a.instruction += asked.instruction_lengths.data[a.question];
    a.question++;
    return a;
  }

  // turn is a question of a picture that is being answered, and how far it is.
  struct turn {
    frame *f;
    start at;
    part_key key;
    const void *inputs[2];
    size_t given;
    int64_t said = 0;
    bool ended = false;
  };

  // group answers those questions of some pictures that have no answer yet: one of each picture at a time, so that their tokens
  // are computed together. A picture whose part is missing is left.
  void group(const start *from, int64_t first, int64_t count) {
    std::vector<lent> frames;
    std::vector<start> next(from + first, from + first + count);
    std::vector<bool> read(count, !pictures), left(count, false);
    for (int64_t i = 0; i < count; i++) frames.emplace_back(program);
    for (;;) {
      std::vector<turn> turns;
      for (int64_t i = 0; i < count; i++) {
        start &at = next[i];
        const int64_t end = from[first + i + 1].question;
        while (at.question < end && asked.tokens[at.question] >= 0) at = after(at);
        if (left[i] || at.question == end) continue;
        read[i] = read[i] || look(*frames[i], (*frames[0]).arena, first + i);
        left[i] = !read[i];
        if (!left[i]) turns.push_back(begun(*frames[i], at));
        at = after(at);
      }
      if (turns.empty() || lacks) return;
      answer(turns);
    }
  }

  // look keeps what a picture says in a frame; false where the part for it is missing. One arena does for all pictures.
  bool look(frame &f, floats &arena, int64_t picture) {
    const part *p = find({ESP_PART_PICTURE, 0, 0});
    if (!p) return false;
    const void *in = pictures + picture * picture_size;
    TORCH_CHECK(p->inputs.size() == 1 && p->inputs[0] == picture_size, "the program was recorded with pictures of ", p->inputs[0],
                " numbers, and these have ", picture_size);
    program.ready(*p, f, arena, &in, 1);
    program.run({&f});
    return true;
  }

  part_key question(int64_t q) const {
    return {ESP_PART_QUESTION, asked.lengths.data[q], asked.instruction_lengths.count ? asked.instruction_lengths.data[q] : 0};
  }

  turn begun(frame &f, start at) const {
    const part_key key = question(at.question);
    return {&f, at, key, {asked.ids.data + at.word, asked.instruction_ids.data + at.instruction}, key[2] ? 2u : 1u};
  }

  // begins tells whether all questions without an answer can be begun, before anything is computed.
  bool begins() {
    bool open = false;
    for (int64_t q = 0; q < asked.lengths.count; q++)
      if (asked.tokens[q] < 0) {
        open = true;
        if (pictures && !find({ESP_PART_PICTURE, 0, 0})) return false;
        if (!find(question(q))) return false;
      }
    return open;
  }

  // answer computes a token of each turn, until each has ended or lacks a part.
  void answer(std::vector<turn> &turns) {
    std::vector<frame *> ready;
    while (!turns.empty() && !lacks) {
      ready.clear();
      for (turn &t : turns) {
        const part *p = find(t.key);
        t.ended = !p;
        if (!p) continue;
        program.ready(*p, *t.f, t.f->arena, t.inputs, t.given);
        ready.push_back(t.f);
      }
      program.run(ready);
      for (turn &t : turns)
        if (!t.ended) say(t);
      turns.erase(std::remove_if(turns.begin(), turns.end(), [](const turn &t) { return t.ended; }), turns.end());
    }
  }

  // say takes the likeliest token, and gets ready for the next.
  void say(turn &t) {
    const part *p = t.f->part;
    const float *logits = static_cast<float *>(t.f->addresses[p->logits]) + p->logits_offset;
    int64_t *answer = asked.answers + t.at.question * asked.max_tokens;
    std::vector<char> out;
    if (t.said < asked.min_tokens) {
      out.resize(p->vocabulary);
      for (int64_t end : ints(asked.ends))
        if (end >= 0 && end < p->vocabulary) out[end] = 1;
    }
    const int64_t token = answer[t.said] = largest(logits, p->vocabulary, out);
    if (asked.log_probs) asked.log_probs[t.at.question * asked.max_tokens + t.said] = log_probability(logits, p->vocabulary, token, out);
    bool end = false;
    for (int64_t e : ints(asked.ends)) end = end || token == e;
    t.ended = end || t.said + 1 == asked.max_tokens;
    if (t.ended) {
      asked.tokens[t.at.question] = end ? t.said : t.said + 1;
      return;
    }
    const int64_t length = asked.lengths.data[t.at.question];
    t.inputs[0] = answer + t.said;
    t.given = 1;
    t.key = {ESP_PART_STEP, (asked.encoder ? 1 : asked.prefix + length) + t.said, asked.encoder ? length : 0};
    t.said++;
  }
};

}  // namespace

esp_status esp_program_answer(esp_program *p, const esp_tensor *pictures, esp_questions asked, int32_t *lacks, esp_part *missing) {
  return guard([&] {
    int64_t count = asked.counts.count;
    asking a{*p, asked, nullptr, 0, {}};
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
    if (a.begins()) at::parallel_for(0, count, 1, [&](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; i += pictures_at_once) a.group(starts.data(), i, std::min(pictures_at_once, to - i));
    });
    *lacks = a.lacks;
    *missing = {a.missing[0], a.missing[1], a.missing[2]};
  });
}
