// From a recorded graph to a part of a program.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include "program.h"

namespace espalier {

struct program_source {
  torch::jit::Graph &graph;            // inputs: the parameters, the inputs; outputs: the logits, if any, and the states
  std::vector<at::Tensor> parameters;
  std::vector<at::Tensor> inputs;      // the examples; the last ones are states
  int64_t states, from;                // so many, in the slots from this one on
  int64_t to;                          // the slot of the first state that is kept
  bool logits;
};

// compile throws what a program cannot express.
part compile(esp_program &program, const program_source &source);

}  // namespace espalier
