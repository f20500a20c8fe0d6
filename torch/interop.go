package torch

// #include "espalier.h"
import "C"

import "unsafe"

// Export gives t to another library over the same libtorch: the address of a new C++ at::Tensor on the heap, which shares
// t's elements and gradient. Whoever takes it deletes it; LiveTensors does not count it.
func (t *Tensor) Export() unsafe.Pointer {
	var p unsafe.Pointer
	check("export", C.esp_tensor_export(t.ptr(), &p), t)
	return p
}

// Import is a tensor that shares the elements and gradient of another library's C++ at::Tensor. That one stays the other
// library's to delete, at any time after Import. An undefined at::Tensor is nil.
func Import(atTensor unsafe.Pointer) *Tensor {
	if atTensor == nil {
		misuse("import", KindMisuse, "a nil at::Tensor")
	}
	return finish("import", C.esp_tensor_import(atTensor))
}
