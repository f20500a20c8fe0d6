package gotorch

import (
	"fmt"
	"maps"
	"slices"

	theirs "github.com/wangkuiyi/gotorch"
	theirnn "github.com/wangkuiyi/gotorch/nn"

	"espalier/torch"
	"espalier/torch/nn"
)

// Adopt hands a module of gotorch's over: the store has the declared axes and names, and its parameters are the module's
// own tensors. Both see the same elements, gradients and hooks, so package pruning scores the store by gradients of the
// module's Forward. The names must be those of the module's StateDict, such as "MLPModule.FC1.Weight"; [Linear],
// [Conv2d] and [BatchNorm2d] declare gotorch's layers. What is missing, unexpected or misshapen is reported together.
//
// Gradients that training left are dropped: a score would count them.
func Adopt(m theirnn.IModule, declare func(*nn.Builder)) (*nn.Store, error) {
	s, err := nn.Declare(nil, declare)
	if err != nil {
		return nil, fmt.Errorf("gotorch: adopt %s: %w", m.Name(), err)
	}
	state := m.StateDict()
	if err := s.Fits(shapes(state)); err != nil {
		return nil, fmt.Errorf("gotorch: adopt %s: declare what its StateDict holds: %w", m.Name(), err)
	}
	err = torch.Run(func(*torch.Scope) error {
		for _, p := range s.Params() {
			t := From(state[p.Name])
			t.SetGrad(nil)
			p.Share(t)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("gotorch: adopt %s: %w", m.Name(), err)
	}
	return s, nil
}

// Fill gives a module, built with the sizes of the store, the store's tensors in place of its own: both see the same
// elements from then on. A tensor asks for a gradient if the one in its place did. The module is then trained as any
// other, by an optimizer that gets its parameters after this; a sliced store must own its memory (Store.Own) first where
// the original is still needed, for what was not cut is shared with it.
func Fill(m theirnn.IModule, s *nn.Store) error {
	state := m.StateDict()
	if err := s.Fits(shapes(state)); err != nil {
		return fmt.Errorf("gotorch: fill %s, which must be built with the sizes of the store's axes: %w", m.Name(), err)
	}
	err := torch.Run(func(*torch.Scope) error {
		for _, name := range slices.Sorted(maps.Keys(state)) {
			asks := From(state[name]).RequiresGrad()
			state[name] = To(s.Param(name).T().SetRequiresGrad(asks))
		}
		return m.SetStateDict(state)
	})
	if err != nil {
		return fmt.Errorf("gotorch: fill %s: %w", m.Name(), err)
	}
	return nil
}

func shapes(state map[string]theirs.Tensor) map[string][]int {
	out := make(map[string][]int, len(state))
	for name, t := range state {
		shape := []int{}
		for _, n := range t.Shape() {
			shape = append(shape, int(n))
		}
		out[name] = shape
	}
	return out
}

// Gated is a gate point in a module's Forward: it multiplies x by the gate of the axis, whose units lie along dimension
// dim. Without an axis, or a gate on it, x comes back as it is, at no cost.
func Gated(a *nn.Axis, x theirs.Tensor, dim int) theirs.Tensor {
	if a == nil || a.Gate == nil {
		return x
	}
	var out theirs.Tensor
	err := torch.Run(func(*torch.Scope) error {
		out = To(a.Gated(From(x).Transpose(dim, -1)).Transpose(dim, -1))
		return nil
	})
	if err != nil {
		panic(err) // the *torch.Error, as of every operation, for the Run around the Forward
	}
	return out
}

// Linear declares name.Weight [out, in] and name.Bias [out] of a gotorch nn.Linear.
func Linear(b *nn.Builder, name string, out, in nn.Dim, bias bool) {
	b = b.Sub(name)
	b.Param("Weight", nn.Uniform(in.Size()), out, in)
	if bias {
		b.Param("Bias", nn.Zeros, out)
	}
}

// Conv2d declares name.Weight [out, in, kernel, kernel] and name.Bias [out] of a gotorch nn.Conv2d of one group.
func Conv2d(b *nn.Builder, name string, out, in nn.Dim, kernel int, bias bool) {
	b = b.Sub(name)
	b.Param("Weight", nn.Uniform(in.Size()*kernel*kernel), out, in, nn.Fixed(kernel), nn.Fixed(kernel))
	if bias {
		b.Param("Bias", nn.Zeros, out)
	}
}

// BatchNorm2d declares the affine weights and the running statistics of a gotorch nn.BatchNorm2d, all [channels].
func BatchNorm2d(b *nn.Builder, name string, channels nn.Dim) {
	b = b.Sub(name)
	b.Param("Weight", nn.Ones, channels)
	b.Param("Bias", nn.Zeros, channels)
	b.Buffer("RunningMean", nn.Zeros, channels)
	b.Buffer("RunningVar", nn.Ones, channels)
}
