// Package torch is libtorch for Go: tensors, autograd, memory and devices. It is the only package with import "C";
// torch/nn, torch/optim and torch/checkpoint stand on it.
//
// # Who frees
//
// Go's collector does not see tensor memory. A tensor made inside [Run] belongs to the innermost scope and is freed at
// its end, unless it was given to [Scope.Keep]. A tensor made outside every scope, or kept past the outermost one, is
// freed by [Tensor.Free], or at the latest when Go's collector finds it unreachable.
//
// # Which thread
//
// Grad mode, autocast and the scope belong to a thread. [Run], [NoGrad] and [Autocast] lock the goroutine to its thread
// and restore the state on every way out. A goroutine started inside does not inherit them. One goroutine computes;
// others hand over Go slices.
//
// # Panic or error
//
// Operations on tensors return no error: they panic with [*Error], which names the operation, the shapes and the
// caller's line. [Run] is the border that recovers it and returns it as an error. Everything that touches files,
// devices or whole steps returns an error.
package torch
