// Recording: libtorch's tracer takes down what a forward computes on this thread, at the sizes of its inputs; what depends on
// parameters alone is computed here, once, and the rest becomes a part's instructions (program_compile.cpp).
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>

#include "program_compile.h"

using namespace espalier;

esp_status esp_program_begin(esp_tensors parameters, esp_tensors inputs) {
  return guard([&] {
    namespace tracer = torch::jit::tracer;
    TORCH_CHECK(!tracer::isTracing(), "a trace is being recorded on this thread already");
    auto state = std::make_shared<tracer::TracingState>();
    state->warn = false;
    for (esp_tensors ts : {parameters, inputs})
      for (const at::Tensor &t : list(ts)) state->setValue(t, state->graph->addInput());
    tracer::setTracingState(state);  // last: who fails must not leave the thread recording
  });
}

esp_status esp_program_finish(esp_program *p, esp_part part, esp_tensors parameters, esp_tensors inputs, int64_t states, int64_t from,
                              const esp_tensor *logits, esp_tensors kept, int64_t to) {
  return guard([&] {
    namespace tracer = torch::jit::tracer;
    auto state = tracer::getTracingState();
    TORCH_CHECK(state, "no trace is being recorded on this thread");
    struct ending {
      ~ending() { tracer::abandon(); }
    };
    auto end = std::make_unique<ending>();  // also where an output is none
    auto graph = state->graph;
    auto output = [&](const at::Tensor &t) {
      TORCH_CHECK(state->hasValue(t), "an output ", t.sizes(), " depends on no input and no parameter");
      graph->registerOutput(state->getOutput(t, graph->outputs().size()));
    };
    if (logits) output(unwrap(logits));
    for (const at::Tensor &t : list(kept)) output(t);
    end.reset();
    torch::jit::EliminateDeadCode(graph);
    at::NoGradGuard no_grad;
    program_source source{*graph, list(parameters), list(inputs), states, from, to, logits != nullptr};
    p->parts.insert_or_assign(part_key{part.kind, part.tokens, part.words}, compile(*p, source));
  });
}
