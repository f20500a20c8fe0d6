// Memory, values and the order of work of the compiler of recorded programs.
#include "program_compile.h"

#include <algorithm>

#include "program_compiler.h"

namespace espalier {

part compiler::made() {
  inputs();
  for (jit_node n : source_.graph.nodes())
    if (!done_.count(n)) visit(n);
  outputs();
  plan();
  return std::move(part_);
}

int compiler::add(buffer b) {
  part_.buffers.push_back(b);
  return static_cast<int>(part_.buffers.size()) - 1;
}

place compiler::temporary(extents sizes) {
  place p;
  p.sizes = std::move(sizes);
  p.strides = contiguous_strides(p.sizes);
  buffer b{buffer::temporary};
  b.size = p.count();
  p.buffer = add(b);
  return p;
}

int compiler::slot(size_t i, int64_t size) {
  while (slots_.size() <= i) {
    buffer b{buffer::slot};
    b.index = static_cast<int64_t>(slots_.size());
    slots_.push_back(add(b));
  }
  if (program_.slots.size() <= i) program_.slots.resize(i + 1);
  program_.slots[i] = std::max(program_.slots[i], size);
  return slots_[i];
}

void compiler::inputs() {
  auto given = source_.graph.inputs();
  size_t at = 0;
  for (const at::Tensor &t : source_.parameters) known_[given[at++]] = t;
  int64_t plain = static_cast<int64_t>(source_.inputs.size()) - source_.states;
  for (int64_t i = 0; i < static_cast<int64_t>(source_.inputs.size()); i++) {
    const at::Tensor &t = source_.inputs[i];
    place p;
    p.sizes = t.sizes().vec();
    p.strides = contiguous_strides(p.sizes);
    p.integers = t.scalar_type() == at::kLong;
    TORCH_CHECK(p.integers || t.scalar_type() == at::kFloat, "an input is ", t.scalar_type());
    if (i < plain) {
      buffer b{buffer::input};
      b.index = i;
      p.buffer = add(b);
      part_.inputs.push_back(p.count());
    } else {
      p.buffer = slot(source_.from + i - plain, p.count());
    }
    places_[given[at++]] = p;
  }
}

place compiler::constant(const at::Tensor &t) {
  TORCH_CHECK(t.scalar_type() == at::kFloat, "a constant is ", t.scalar_type());
  at::Tensor plain = t.contiguous();
  if (program_.is_parameter(plain)) {
    auto &copy = program_.copies[plain.const_data_ptr()];
    if (!copy.plain.defined() || copy.plain.numel() < plain.numel()) copy.plain = plain.clone();
    part_.keeps.push_back(copy.plain);
    plain = copy.plain.flatten().narrow(0, 0, plain.numel()).view(t.sizes());
  } else {
    part_.keeps.push_back(plain);
  }
  place p;
  p.sizes = plain.sizes().vec();
  p.strides = contiguous_strides(p.sizes);
  auto [found, fresh] = constants_.emplace(plain.const_data_ptr(), 0);
  if (fresh) {
    buffer b{buffer::constant};
    b.data = plain.const_data_ptr();
    found->second = add(b);
  }
  p.buffer = found->second;
  return p;
}

const float *compiler::packed(const at::Tensor &weight) {
  TORCH_CHECK(weight.scalar_type() == at::kFloat && weight.dim() == 2, "a product with a weight ", weight.scalar_type(), " ", weight.sizes());
  auto &copy = program_.copies[weight.const_data_ptr()];
  if (!copy.packed) {
    if (!program_.is_parameter(weight)) copy.of = weight;
    int64_t columns = weight.size(0), depth = weight.size(1);
    auto packed = std::make_unique<floats>();
    packed->reserve(kernels_.packed(depth, columns));  // without memory for it nothing may stay that looks packed
    kernels_.pack(depth, columns, weight.const_data_ptr<float>(), weight.stride(1), weight.stride(0), packed->data());
    copy.packed = std::move(packed);
  }
  return copy.packed->data();
}

bool compiler::is_known(jit_value v) {
  if (known_.count(v)) return true;
  if (v->node()->kind() != c10::prim::Constant) return false;
  known_[v] = *torch::jit::toIValue(v);  // it may stand behind the operation that looks ahead
  return true;
}

const c10::IValue &compiler::known(jit_value v) {
  TORCH_CHECK_NOT_IMPLEMENTED(is_known(v), "a program needs to know beforehand what ", v->node()->kind().toQualString(), " gives");
  return known_.at(v);
}

place compiler::at(jit_value v) {
  auto found = places_.find(v);
  if (found != places_.end()) return found->second;
  const c10::IValue &k = known(v);
  if (k.isTensor()) {
    at::Tensor t = k.toTensor();
    return constant(t.dim() == 0 ? t.to(at::kFloat) : t);
  }
  return constant(at::scalar_tensor(k.toScalar(), at::kFloat));
}

extents compiler::sizes_of(jit_value v) const {
  auto type = v->type()->cast<c10::TensorType>();
  TORCH_CHECK(type, v->node()->kind().toQualString(), " gives no tensor");
  auto sizes = type->sizes().concrete_sizes();
  TORCH_CHECK(sizes, v->node()->kind().toQualString(), " gives a tensor of unknown size");
  TORCH_CHECK(type->scalarType() == at::kFloat, v->node()->kind().toQualString(), " gives ",
              type->scalarType() ? c10::toString(*type->scalarType()) : "an unknown dtype", ", and programs compute in float32 alone");
  return *sizes;
}

void compiler::emit(std::initializer_list<int> touched, computation run, std::shared_ptr<const weighted> product) {
  int now = static_cast<int>(part_.instructions.size());
  for (int b : touched) {
    if (b < 0) continue;
    buffer &used = part_.buffers[b];
    if (used.first < 0) used.first = now;
    used.last = now;
  }
  part_.instructions.push_back({std::move(run), std::move(product)});
}

void compiler::copy(const place &from, const place &to) {
  walk<2> w(from.sizes, {from.strides, to.strides});
  emit({from.buffer, to.buffer}, [=, source = from.buffer, target = to.buffer, a = from.offset, b = to.offset](addresses at, float *) {
    const float *x = floats_at(at, source, a);
    float *y = floats_of(at, target, b);
    w.each([&](const int64_t *o) {
      if (w.run_step[0] == 1 && w.run_step[1] == 1 && w.run > 16) {
        memcpy(y + o[1], x + o[0], w.run * sizeof(float));
        return;
      }
      int64_t i = 0;
      if (w.run_step[0] == 1 && w.run_step[1] == 1)  // a short run: a call would take longer
        for (; i + 4 <= w.run; i += 4) memcpy(y + o[1] + i, x + o[0] + i, 4 * sizeof(float));
      for (; i < w.run; i++) y[o[1] + i * w.run_step[1]] = x[o[0] + i * w.run_step[0]];
    });
  });
}

place compiler::solid(const place &p) {
  TORCH_CHECK(!p.integers, "integers are copied");
  place out = temporary(p.sizes);
  copy(p, out);
  return out;
}

std::pair<place, matrix> compiler::rows_of(place p) {
  auto m = as_matrix(p);
  if (!m) {
    p = solid(p);
    m = as_matrix(p);
  }
  return {p, *m};
}

extents compiler::broadcast(const place &p, const extents &sizes) {
  extents strides(sizes.size());
  TORCH_CHECK(p.sizes.size() <= sizes.size(), "a tensor of more dimensions than the result");
  size_t shift = sizes.size() - p.sizes.size();
  for (size_t i = 0; i < p.sizes.size(); i++) {
    TORCH_CHECK(p.sizes[i] == sizes[i + shift] || p.sizes[i] == 1, "sizes ", p.sizes, " and ", sizes);
    strides[i + shift] = p.sizes[i] == 1 ? 0 : p.strides[i];
  }
  return strides;
}

void compiler::outputs() {
  auto given = source_.graph.outputs();
  int now = static_cast<int>(part_.instructions.size());
  size_t i = 0;
  if (source_.logits) {
    place p = at(given[i++]);
    if (p.strides != contiguous_strides(p.sizes)) p = solid(p);
    part_.logits = p.buffer;
    part_.logits_offset = p.offset;
    part_.vocabulary = p.count();
  }
  for (size_t state = source_.to; i < given.size(); i++, state++) {
    place p = at(given[i]), to;
    to.sizes = p.sizes;
    to.strides = contiguous_strides(p.sizes);
    to.buffer = slot(state, p.count());
    if (p.buffer != to.buffer || p.offset != 0) copy(p, to);
  }
  now = std::max(now, static_cast<int>(part_.instructions.size()));
  if (part_.logits >= 0) part_.buffers[part_.logits].last = now;
}

void compiler::plan() {
  std::vector<const buffer *> placed;
  for (buffer &b : part_.buffers) {
    if (b.kind != buffer::temporary) continue;
    if (b.first < 0) b.first = b.last = 0;
    int64_t size = (b.size + 15) / 16 * 16;
    std::vector<std::pair<int64_t, int64_t>> taken;
    for (const buffer *o : placed)
      if (o->first <= b.last && b.first <= o->last) taken.emplace_back(o->offset, o->offset + (o->size + 15) / 16 * 16);
    std::sort(taken.begin(), taken.end());
    b.offset = 0;
    for (auto [from, to] : taken) {
      if (b.offset + size <= from) break;
      b.offset = std::max(b.offset, to);
    }
    part_.arena = std::max(part_.arena, b.offset + size);
    placed.push_back(&b);
  }
}

part compile(esp_program &program, const program_source &source) { return compiler(program, source).made(); }

}  // namespace espalier
