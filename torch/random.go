package torch

// #include "espalier.h"
import "C"

import "runtime"

// Generator draws the same numbers for the same seed, on every device (they are drawn on the CPU).
type Generator struct{ c *C.esp_generator }

// NewGenerator starts a stream of random numbers, for seeds below 2³² the one of PyTorch's CPU generator.
func NewGenerator(seed uint64) *Generator {
	g := &Generator{}
	seed ^= seed >> 32 // libtorch's Mersenne twister takes the lower half and drops the other
	check("generator", C.esp_generator_new(C.uint64_t(seed), -1, &g.c))
	runtime.AddCleanup(g, func(c *C.esp_generator) { C.esp_generator_free(c) }, g.c)
	return g
}

// Randn draws float32 numbers of mean 0 and standard deviation 1, on the CPU.
func (g *Generator) Randn(shape ...int) *Tensor {
	defer runtime.KeepAlive(g)
	return finish("randn", C.esp_tensor_randn(ints(shape), g.ptr()))
}

// Rand draws float32 numbers from [0, 1), on the CPU.
func (g *Generator) Rand(shape ...int) *Tensor {
	defer runtime.KeepAlive(g)
	return finish("rand", C.esp_tensor_rand(ints(shape), g.ptr()))
}

func (g *Generator) ptr() *C.esp_generator {
	if g == nil || g.c == nil {
		misuse("generator", KindMisuse, "the generator was not made with NewGenerator")
	}
	return g.c
}
