package torch_test

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

const (
	slack = 512 << 20 // of address space, for Go and for threads, each of which has its stack and 64 MiB of malloc's
	side  = 16 << 10  // a float32 matrix of this many rows and columns takes 1 GiB
)

// What asks for at least 1 GiB, each on its own route: libtorch's allocator, oneDNN's, MKL's, those within a backward, in
// a hook, and in a block that is computed again.
func allocations() map[string]func() error {
	column := torch.Ones([]int{side, 1}, torch.Float32, torch.CPU)
	wide := column.Expand(side, side)
	leaf := torch.Ones([]int{side, 1}, torch.Float32, torch.CPU).SetRequiresGrad(true)
	picture := torch.Ones([]int{1, 1, 1024, 1024}, torch.Float32, torch.CPU)
	kernels := torch.Ones([]int{512, 1, 2, 2}, torch.Float32, torch.CPU)
	does := func(f func()) func() error {
		return func() error {
			return torch.Run(func(*torch.Scope) error {
				f()
				return nil
			})
		}
	}
	return map[string]func() error{
		"empty":       does(func() { torch.Empty([]int{side, side}, torch.Float32, torch.CPU) }),
		"zeros":       does(func() { torch.Zeros([]int{side, side}, torch.Float32, torch.CPU) }),
		"randn":       does(func() { torch.NewGenerator(1).Randn(side, side) }),
		"add":         does(func() { wide.Add(column) }),
		"linear":      does(func() { column.Linear(column, nil) }),
		"matmul":      does(func() { column.MatMul(column.Transpose(0, 1)) }),
		"bfloat16":    does(func() { b := column.To(torch.BFloat16); b.Linear(torch.Cat(0, b, b), nil) }),
		"convolution": does(func() { picture.Conv2D(kernels, nil, 1) }),
		"convolution in bfloat16": does(func() {
			picture.To(torch.BFloat16).Conv2D(torch.Cat(0, kernels, kernels).To(torch.BFloat16), nil, 1)
		}),
		"softmax":  does(func() { wide.Softmax(-1) }),
		"sort":     does(func() { wide.TopK(side/2, 1) }),
		"copy":     does(func() { wide.Clone() }),
		"values":   does(func() { torch.Values[float32](wide) }),
		"bytes":    does(func() { wide.Raw() }),
		"float64":  does(func() { wide.Floats() }),
		"norm":     does(func() { wide.LayerNorm(torch.Ones([]int{side}, torch.Float32, torch.CPU), nil, 1e-5) }),
		"backward": does(func() { leaf.Expand(side, side).Select(1, 0).Sum().Backward() }),
		"hook": does(func() {
			x := leaf.MulScalar(1)
			x.RegisterHook(func(*torch.Tensor) *torch.Tensor { return wide.Clone() })
			x.Sum().Backward()
		}),
		"block computed again": does(func() {
			first := true
			torch.Recompute(func() {
				torch.Inner(func(_ *torch.Scope, in []*torch.Tensor) *torch.Tensor {
					if !first {
						wide.Clone()
					}
					first = false
					return in[0].Sum()
				}, leaf).Backward()
			})
		}),
		"outside of a scope": func() (err error) {
			defer func() { err = recover().(error) }()
			torch.Zeros([]int{side, side}, torch.Float32, torch.CPU)
			return nil
		},
	}
}

// exhausted prints what each allocation ends with when there is no memory for it, and goes on to compute.
func exhausted() error {
	return torch.Run(func(*torch.Scope) error {
		all := allocations()
		small := torch.Ones([]int{64, 64}, torch.Float32, torch.CPU)
		small.Linear(small, nil)
		before, err := statusBytes("VmSize")
		if err != nil {
			return err
		}
		limit := syscall.Rlimit{Cur: uint64(before + slack), Max: uint64(before + slack)}
		if err := syscall.Setrlimit(syscall.RLIMIT_AS, &limit); err != nil {
			return err
		}
		for name, allocate := range all {
			var e *torch.Error
			if err := allocate(); !errors.As(err, &e) || e.Kind != torch.KindMemory {
				fmt.Printf("%s: %v\n", name, err)
			}
		}
		fmt.Println(small.Linear(small, nil).Sum().Item())
		return nil
	})
}

// Wherever an allocation fails, the error says so, and the process goes on.
func TestOutOfMemory(t *testing.T) {
	torchtest.Setup(t)
	if sanitized() {
		t.Skip("NOT TESTED: a sanitizer needs the address space")
	}
	require.Equal(t, "262144", inChild(t, "exhausted"))
}
