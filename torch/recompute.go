package torch

/*
#include <stdlib.h>
#include "espalier.h"
extern esp_hook_answer espGoBlock(uintptr_t handle, esp_tensors inputs);
extern void espGoHookRelease(uintptr_t handle);
static void install_block(void) { esp_recompute_callbacks(espGoBlock, espGoHookRelease); }
*/
import "C"

import (
	"runtime"
	"runtime/cgo"
	"unsafe"
)

func init() { C.install_block() }

// Block computes one block of a forward from its inputs. With gradients off, intermediate results belong to s, which is
// nil otherwise.
type Block func(s *Scope, in []*Tensor) *Tensor

// Inner runs a block. When gradients are off it has a scope of its own: intermediate results are freed with the block,
// while autograd still needs them in training. f's result is kept, and so is what f gives to Keep. Under [Recompute] the
// same holds in training: autograd keeps the inputs alone, and Backward calls f once more. Every tensor that a gradient
// flows through, other than leaves, must then come by way of the inputs, which may be nil.
func Inner(f Block, in ...*Tensor) *Tensor {
	switch C.esp_block_mode() {
	case C.ESP_BLOCK_PLAIN:
		return f(nil, in)
	case C.ESP_BLOCK_RECOMPUTED:
		return recomputed(f, in)
	}
	return scoped(f, in)
}

// scoped runs a block in a scope of its own and keeps its result.
func scoped(f Block, in []*Tensor) *Tensor {
	s := openScope()
	done := false
	defer func() { s.close(done) }()
	t := f(s, in)
	s.Keep(t)
	done = true
	return t
}

// Recompute calls f such that the blocks run by [Inner] keep only their inputs for Backward, which computes each block
// again when it comes to it: memory for one block's intermediate results instead of all blocks', for a third more time
// (gradient checkpointing; Chen et al., 2016).
func Recompute(f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := C.esp_recompute_set(1)
	defer C.esp_recompute_set(before)
	f()
}

func recomputed(f Block, in []*Tensor) *Tensor {
	value := func() *Tensor {
		before := C.esp_recompute_begin()
		defer C.esp_recompute_end(before)
		return scoped(f, in)
	}()
	given := make([]*C.esp_tensor, len(in))
	for i, t := range in {
		given[i] = t.optional()
	}
	c := value.ptr()
	handle := cgo.NewHandle(f) // released with the node that holds it
	return finish("block", C.esp_tensor_recomputed(c, list(given), C.uintptr_t(handle)), append(in, value)...)
}

//export espGoBlock
func espGoBlock(handle C.uintptr_t, inputs C.esp_tensors) C.esp_hook_answer {
	in := make([]*Tensor, int(inputs.count))
	for i, c := range unsafe.Slice((**C.esp_tensor)(unsafe.Pointer(inputs.data)), len(in)) {
		if c != nil {
			in[i] = &Tensor{c: c, lent: true}
		}
	}
	defer func() {
		for _, t := range in {
			if t != nil {
				t.c = nil
			}
		}
	}()
	return callback("a block computed again", func() (given *C.esp_tensor) {
		err := Run(func(*Scope) error {
			given = cgo.Handle(handle).Value().(Block)(nil, in).given("block") // the tensor itself goes with the scope
			return nil
		})
		if err != nil {
			panic(err)
		}
		return given
	})
}
