// From a recorded graph to a part of a program.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include "program.h"

namespace espalier {

struct program_source {
  torch::jit::Graph &graph;            // inputs: the parameters, the inputs; outputs: the logits, if any, and the states
  std::vector<at::Tensor> parameters;
  std::vector<at::Tensor> inputs;      // the examples; the last ones are states
  int64_t states;                      // how many: slot i holds state i
  int64_t tokens;                      // of a state that there are before
  bool logits;
};

// compile throws what a program cannot express.
part compile(esp_program &program, const program_source &source);

}  // namespace espalier
