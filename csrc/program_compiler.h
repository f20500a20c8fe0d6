// The compiler of recorded programs. Each value of the graph is known (a constant, a parameter, or what depends on these alone),
// or has a place: a strided view of a buffer. Operations that only look at elements in another way give another view; the
// others give instructions, with an activation and a sum that follow a product joined to it.
#pragma once

#include <unordered_map>
#include <unordered_set>

#include "program_compile.h"
#include "program_place.h"

namespace espalier {

using jit_value = const torch::jit::Value *;
using jit_node = const torch::jit::Node *;

class compiler {
 public:
  compiler(esp_program &program, const program_source &source) : program_(program), source_(source), kernels_(chosen_kernels()) {}

  part made();

 private:
  esp_program &program_;
  const program_source &source_;
  const kernels &kernels_;
  part part_;
  std::unordered_map<jit_value, c10::IValue> known_;
  std::unordered_map<jit_value, place> places_;
  std::unordered_set<jit_node> done_;
  std::vector<int> slots_;  // the buffer of each
  std::unordered_map<const void *, int> constants_;

  // --- memory

  int add(buffer b);
  place temporary(extents sizes);
  int slot(size_t i, int64_t size);
  void inputs();
  // constant is the place of known elements. Those of parameters are copied, once for all parts: whoever frees a network gets
  // its memory back.
  place constant(const at::Tensor &t);
  const float *packed(const at::Tensor &weight);

  // --- values

  bool is_known(jit_value v);
  const c10::IValue &known(jit_value v);
  place at(jit_value v);
  extents sizes_of(jit_value v) const;
  // only is the one node that uses a value, or NULL.
  jit_node only(jit_value v) const { return v->uses().size() == 1 ? v->uses()[0].user : nullptr; }

  // --- instructions

  void emit(std::initializer_list<int> touched, computation run, std::shared_ptr<const weighted> product = nullptr);
  static const float *floats_at(addresses a, int buffer, int64_t offset) { return static_cast<const float *>(a[buffer]) + offset; }
  static float *floats_of(addresses a, int buffer, int64_t offset) { return static_cast<float *>(a[buffer]) + offset; }
  void copy(const place &from, const place &to);
  place solid(const place &p);
  // rows_of is a place as a matrix, copied where its rows do not lie apart by one step.
  std::pair<place, matrix> rows_of(place p);
  static extents broadcast(const place &p, const extents &sizes);
  template <class F>
  void combine(jit_node n, F f);
  template <class F>
  void each(jit_node n, F f);

  // --- operations

  void visit(jit_node n);
  void fold(jit_node n);
  // look is a view, which libtorch works out on a tensor without elements; where it would copy, so do we first.
  void look(jit_node n);
  std::optional<activation> activation_of(jit_node n);
  void activate(jit_node n, activation a);
  static bool is_one(const c10::IValue &v) { return v.isScalar() && v.toScalar().toDouble() == 1; }
  bool plain_sum(jit_node n) { return n->inputs().size() < 3 || is_one(known(n->input(2))); }
  at::Tensor weight(jit_value v);
  // product is x · weightᵀ + bias, with what follows it and is asked for nowhere else.
  void product_of(const place &x, const matrix &m, const at::Tensor &w, const at::Tensor &bias, jit_value out, place target);
  void linear(jit_node n);
  // patches is a convolution whose kernels lie side by side: a product of each patch.
  void patches(jit_node n);
  void layer_norm(jit_node n);
  void embedding(jit_node n);
  // last_dense is a place whose last dimension lies together.
  place last_dense(place p) { return p.strides.back() == 1 ? p : solid(p); }
  place mask(jit_value v);
  void attend(jit_node n);
  // cat joins; new tokens behind those of a slot are written there.
  void cat(jit_node n);
  void mean(jit_node n);
  // repeat is the repeat_interleave of a dimension that a number tells.
  void repeat(jit_node n);
  // ones_like reads the size alone, which is known.
  void ones(jit_node n);

  // --- the end

  void outputs();
  // plan gives each temporary buffer the first place in the arena that is free for as long as it lives.
  void plan();
};

}  // namespace espalier
