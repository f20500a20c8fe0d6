// Recorded programs: their parts, run in the frames of one picture or of several at once.
#include "program.h"

#include <ATen/Parallel.h>
#include <ATen/Version.h>

#include <algorithm>

using namespace espalier;

namespace espalier {

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

void esp_program::ready(const part &p, frame &f, floats &arena, const void *const *inputs, size_t count) const {
  TORCH_CHECK(count == p.inputs.size(), "the part takes ", p.inputs.size(), " inputs, not ", count);
  f.part = &p;
  arena.reserve(p.arena);
  f.addresses.resize(p.buffers.size());
  while (f.slots.size() < slots.size()) f.slots.push_back(std::make_unique<floats>());
  for (size_t i = 0; i < slots.size(); i++) f.slots[i]->reserve(slots[i]);
  for (size_t i = 0; i < p.buffers.size(); i++) {
    const buffer &b = p.buffers[i];
    switch (b.kind) {
      case buffer::temporary:
        f.addresses[i] = arena.data() + b.offset;
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
}

namespace espalier {

product weighted::at(addresses where) const {
  product now = g;
  now.a = a.in(where);
  now.bias = bias.in(where);
  now.residual = residual.in(where);
  now.out = out.in(where);
  return now;
}

namespace {

constexpr double parallel_work = 4e6;       // multiplications, below which a product is one thread's
constexpr int64_t cached_weight = 1 << 16;  // floats: a larger weight is read from far away
constexpr int64_t few_rows = 4;             // with fewer the kernels wait for their own sums

void multiply(const kernels &k, const product &now) {
  if (static_cast<double>(now.rows) * now.columns * now.depth <= parallel_work) return k.multiply(now);
  const int64_t panels = (now.columns + k.width - 1) / k.width, work = std::max<int64_t>(1, parallel_work / 4 / (now.rows * now.depth * k.width));
  at::parallel_for(0, panels, work, [&](int64_t from, int64_t to) {
    product share = now;
    const int64_t column = from * k.width;
    share.columns = std::min(to * k.width, now.columns) - column;
    share.b += column * now.depth;
    if (share.bias) share.bias += column;
    if (share.residual) share.residual += column;
    share.out += column;
    k.multiply(share);
  });
}

// like tells whether the rows of two products can go together: each row's numbers are the same then as if it went alone.
bool like(const weighted *a, const weighted *b) {
  return a && b && a->g.b == b->g.b && a->g.columns == b->g.columns && a->g.depth == b->g.depth && a->g.act == b->g.act &&
         (a->bias.buffer < 0) == (b->bias.buffer < 0) && (a->residual.buffer < 0) == (b->residual.buffer < 0);
}

// together computes the same instruction of all frames, a product, by copying their rows side by side.
void together(const std::vector<frame *> &frames, size_t i, int64_t rows) {
  const weighted &w = *frames[0]->part->instructions[i].product;
  const int64_t depth = w.g.depth, columns = w.g.columns;
  thread_local floats side_by_side;
  side_by_side.reserve(rows * (depth + columns));
  float *in = side_by_side.data(), *out = in + rows * depth, *to = in;
  for (const frame *f : frames) {
    const weighted &p = *f->part->instructions[i].product;
    const float *from = p.a.in(f->addresses.data());
    for (int64_t r = 0; r < p.g.rows; r++, from += p.g.a_step, to += depth) memcpy(to, from, depth * sizeof(float));
  }
  multiply(*w.k, {rows, columns, depth, in, depth, w.g.b, w.bias.in(frames[0]->addresses.data()), w.g.act, nullptr, 0, out, columns});
  for (const frame *f : frames) {
    const weighted &p = *f->part->instructions[i].product;
    const product now = p.at(f->addresses.data());
    for (int64_t r = 0; r < now.rows; r++, out += columns) {
      float *row = now.out + r * now.out_step;
      if (!now.residual) {
        memcpy(row, out, columns * sizeof(float));
        continue;
      }
      const float *residual = now.residual + r * now.residual_step;
      for (int64_t c = 0; c < columns; c++) row[c] = out[c] + residual[c];
    }
  }
}

}  // namespace

void weighted::run(addresses where) const { multiply(*k, at(where)); }

}  // namespace espalier

void esp_program::run(const std::vector<frame *> &frames) {
  if (frames.empty()) return;
  size_t count = frames[0]->part->instructions.size();
  bool alike = true;
  floats &scratch = frames[0]->scratch;
  for (const frame *f : frames) {
    alike = alike && f->part->instructions.size() == count;
    scratch.reserve(f->part->scratch);
  }
  if (!alike) {
    for (frame *f : frames) run({f});
    return;
  }
  for (size_t i = 0; i < count; i++) {
    const weighted *first = frames[0]->part->instructions[i].product.get();
    int64_t rows = 0;
    bool joined = frames.size() > 1;
    for (const frame *f : frames) {
      const weighted *w = f->part->instructions[i].product.get();
      joined = joined && like(first, w);
      if (joined) rows += w->g.rows;
    }
    if (joined && (first->g.columns * first->g.depth > cached_weight || rows < few_rows * static_cast<int64_t>(frames.size()))) {
      together(frames, i, rows);
      continue;
    }
    for (frame *f : frames) {
      const instruction &now = f->part->instructions[i];
      now.product ? now.product->run(f->addresses.data()) : now.run(f->addresses.data(), scratch.data());
    }
  }
}

namespace {

// Tensors of inference mode do not count what is written to them.
uint32_t version_of(const at::Tensor &t) { return t.is_inference() ? 0 : t._version(); }

}  // namespace

esp_status esp_program_new(esp_tensors parameters, esp_program **out) {
  return guard([&] {
    auto p = std::make_unique<esp_program>();
    for (const at::Tensor &t : list(parameters)) {
      TORCH_CHECK(t.is_cpu(), "a parameter is not on the CPU");
      TORCH_CHECK(t.is_floating_point(), "a parameter is ", t.scalar_type());
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
