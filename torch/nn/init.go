package nn

import (
	"math"

	"espalier/torch"
)

// Init draws the first values of a parameter of the given shape, float32 on the CPU.
type Init func(g *torch.Generator, shape []int) *torch.Tensor

// Zeros starts at 0.
func Zeros(_ *torch.Generator, shape []int) *torch.Tensor {
	return torch.Zeros(shape, torch.Float32, torch.CPU)
}

// Ones starts at 1.
func Ones(_ *torch.Generator, shape []int) *torch.Tensor {
	return torch.Ones(shape, torch.Float32, torch.CPU)
}

// Normal draws with mean 0 and a standard deviation.
func Normal(std float64) Init {
	return func(g *torch.Generator, shape []int) *torch.Tensor { return g.Randn(shape...).MulScalar(std) }
}

// FanIn draws with mean 0 and standard deviation gain / √(elements that one output reads).
func FanIn(gain float64) Init {
	return func(g *torch.Generator, shape []int) *torch.Tensor {
		return g.Randn(shape...).MulScalar(gain / math.Sqrt(float64(fanIn(shape))))
	}
}

// Uniform draws evenly from ±1/√fanIn, PyTorch's default for convolutions.
func Uniform(fanIn int) Init {
	bound := 1 / math.Sqrt(float64(fanIn))
	return func(g *torch.Generator, shape []int) *torch.Tensor {
		return g.Rand(shape...).MulScalar(2 * bound).AddScalar(-bound)
	}
}

func fanIn(shape []int) int {
	n := 1
	for _, s := range shape[1:] {
		n *= s
	}
	return n
}

// Init draws every parameter in float32, in the order of declaration, and puts it on a device.
func (s *Store) Init(seed uint64, on torch.Device) error { return s.InitAs(seed, torch.Float32, on) }

// InitAs is Init with another dtype for what was drawn, one parameter at a time.
func (s *Store) InitAs(seed uint64, d torch.DType, on torch.Device) error {
	g := torch.NewGenerator(seed)
	for _, p := range s.params {
		err := torch.Run(func(*torch.Scope) error {
			p.Set(p.init(g, p.Shape()).ToDevice(on).To(d).Contiguous())
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
