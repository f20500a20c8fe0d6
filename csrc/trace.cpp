// Tracing: what Go's forwards do becomes a method of a TorchScript module. Python's torch.jit.trace wraps a function;
// here the caller's own code runs between begin and finish, so that nothing calls back into Go.
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/normalize_ops.h>
#include <torch/csrc/jit/passes/shape_analysis.h>

#include "module.h"

using namespace espalier;
namespace jit = torch::jit;
namespace tracer = torch::jit::tracer;

namespace {

constexpr int64_t constant_elements = 4096;  // rotary frequencies and the like; more is a weight that slipped in

// A trace that fails must not go on recording what the thread does next.
struct abandoned {
  bool finished = false;
  ~abandoned() {
    if (!finished) tracer::abandon();
  }
};

// The tracer knows a parameter by its identity: each stands for reading the attribute.
void read_parameters(tracer::TracingState &state, const jit::Module &m, jit::Value *self) {
  for (size_t i = 0; i < m.type()->numAttributes(); i++) {
    c10::IValue v = m._ivalue()->getSlot(i);
    jit::Value *read = state.graph->insertGetAttr(self, m.type()->getAttributeName(i));
    if (v.isTensor())
      state.setValue(v, read);
    else
      read_parameters(state, jit::Module(v.toObject()), read);
  }
}

jit::Value *output(tracer::TracingState &state, const at::Tensor &t, size_t i) {
  TORCH_CHECK(state.hasValue(t), "output ", i, " ", t.sizes(), " depends on no input and no parameter");
  return state.getOutput(t, i);
}

// A constant that shares memory with a parameter was read through another handle than the module's own.
void check_constants(const jit::Graph &graph, const jit::Module &m) {
  for (const jit::Node *n : graph.nodes()) {
    if (n->kind() != c10::prim::Constant || !n->hasAttribute(c10::attr::value) || n->kindOf(c10::attr::value) != jit::AttributeKind::t)
      continue;
    const at::Tensor &t = n->t(c10::attr::value);
    TORCH_CHECK(t.numel() <= constant_elements, "a tensor ", t.sizes(), " is neither an input nor a parameter, and would become a constant");
    for (const auto &p : m.named_parameters())
      TORCH_CHECK(!t.is_alias_of(p.value), "a view of ", p.name, " was made before the trace, and would become a constant");
  }
}

}  // namespace

namespace espalier {

void record_size(const char *argument, int64_t n, int64_t i, const at::Tensor &t, int64_t dim) {
  tracer::ArgumentStash::stashIntArrayRefElem(argument, n, i, tracer::getSizeOf(t, dim));
}

}  // namespace espalier

esp_status esp_trace_abandon(void) {
  return guard([] { tracer::abandon(); });
}

esp_status esp_trace_begin(esp_module *m, const char *const *names, esp_values inputs) {
  return guard([&] {
    TORCH_CHECK(!tracer::isTracing(), "a trace is being recorded on this thread already");
    abandoned unless;
    auto state = std::make_shared<tracer::TracingState>();
    state->warn = false;
    jit::Graph &graph = *state->graph;
    jit::Value *self = graph.addInput("self")->setType(m->module.type());
    tracer::setTracingState(state);
    std::vector<std::pair<jit::Value *, c10::IValue>> arguments;
    for (c10::IValue &v : to_stack(inputs)) arguments.emplace_back(graph.addInput(named(names[arguments.size()])), v);
    read_parameters(*state, m->module, self);
    for (auto &[value, v] : arguments) {
      if (v.isTensor()) {
        value->setType(c10::TensorType::get());
        state->setValue(v, value);
        continue;
      }
      value->setType(c10::ListType::ofTensors());
      auto parts = v.toTensorVector();
      jit::Node *unpack = graph.insertNode(graph.createListUnpack(value, parts.size()));
      for (size_t i = 0; i < parts.size(); i++) state->setValue(parts[i], unpack->outputs()[i]);
    }
    unless.finished = true;
  });
}

esp_status esp_trace_finish(esp_module *m, const char *method, esp_values outputs) {
  return guard([&] {
    abandoned unless;
    auto state = tracer::getTracingState();
    TORCH_CHECK(state, "no trace is being recorded on this thread");
    std::shared_ptr<jit::Graph> graph = state->graph;
    std::vector<jit::Value *> values;
    for (const c10::IValue &v : to_stack(outputs)) {
      if (v.isTensor()) {
        values.push_back(output(*state, v.toTensor(), values.size()));
        continue;
      }
      std::vector<jit::Value *> parts;
      for (const at::Tensor &t : v.toTensorVector()) parts.push_back(output(*state, t, values.size()));
      values.push_back(graph->insertNode(graph->createList(c10::TensorType::get(), parts))->output());
    }
    tracer::setTracingState(nullptr);
    graph->registerOutput(values.size() == 1 ? values[0] : graph->insertNode(graph->createTuple(values))->output());
    jit::EraseShapeInformation(graph);
    jit::NormalizeOps(graph);
    jit::EliminateDeadCode(graph);
    check_constants(*graph, m->module);
    graph->lint();
    auto type = m->module.type();
    TORCH_CHECK(!type->findMethod(method), "the module has a method ", method, " already");
    type->addMethod(m->module._ivalue()->compilation_unit()->create_function(c10::QualifiedName(*type->name(), named(method)), graph));
    unless.finished = true;
  });
}
