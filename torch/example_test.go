package torch_test

import (
	"fmt"

	"espalier/torch"
)

// Tensors that are made within Run are freed when it ends; errors of any operation in it come back from it.
func ExampleRun() {
	var mean float64
	err := torch.Run(func(*torch.Scope) error {
		x := torch.From([]float32{1, 2, 3, 4, 5, 6}, torch.CPU, 2, 3)
		mean = x.MatMul(x.Transpose(0, 1)).Mean().Item()
		return nil
	})
	fmt.Println(mean, err)
	// Output: 38.75 <nil>
}

// A mistake names the operation, the line, and the shapes of its operands.
func ExampleError() {
	err := torch.Run(func(*torch.Scope) error {
		torch.Ones([]int{2, 3}, torch.Float32, torch.CPU).MatMul(torch.Ones([]int{2, 3}, torch.Float32, torch.CPU))
		return nil
	})
	fmt.Println(err)
	// Output: torch: matmul at torch/example_test.go:24: mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3); operands [2 3] [2 3]
}

// The gradient of x² + 3x is 2x + 3.
func ExampleTensor_Backward() {
	_ = torch.Run(func(*torch.Scope) error {
		x := torch.From([]float64{1, 2}, torch.CPU).SetRequiresGrad(true)
		x.Mul(x).Add(x.MulScalar(3)).Sum().Backward()
		fmt.Println(x.Grad().Floats())
		return nil
	})
	// Output: [5 7]
}

// NoGrad computes without a graph, and restores what was set before however it is left.
func ExampleNoGrad() {
	_ = torch.Run(func(*torch.Scope) error {
		x := torch.Ones([]int{2}, torch.Float32, torch.CPU).SetRequiresGrad(true)
		torch.NoGrad(func() { fmt.Println(x.MulScalar(2).RequiresGrad()) })
		fmt.Println(x.MulScalar(2).RequiresGrad())
		return nil
	})
	// Output:
	// false
	// true
}
