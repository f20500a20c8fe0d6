#pragma once

namespace espalier {

// trim_tensors gives the system back what the heap of tensors does not use.
void trim_tensors();

}  // namespace espalier
