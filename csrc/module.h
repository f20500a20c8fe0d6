// Shared by the units on TorchScript.
#pragma once

#include <torch/csrc/jit/api/module.h>

#include "internal.h"

struct esp_module {
  torch::jit::Module module;
};

namespace espalier {

// named is a name within a module; others would give a file that TorchScript's own parser refuses.
std::string named(const std::string &name);

// to_stack is the arguments of a method.
std::vector<c10::IValue> to_stack(esp_values values);

}  // namespace espalier
