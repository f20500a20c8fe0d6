package optim_test

import (
	"fmt"

	"espalier/torch"
	"espalier/torch/optim"
)

// The rate rises to its peak and falls along a cosine to a share of it.
func ExampleWarmupCosine() {
	rate := optim.WarmupCosine(100, .1, .02)
	for _, step := range []int{0, 5, 10, 55, 99} {
		fmt.Printf("%d: %.2f\n", step, rate(step))
	}
	// Output:
	// 0: 0.10
	// 5: 0.60
	// 10: 1.00
	// 55: 0.51
	// 99: 0.02
}

// Two hundred steps towards the least of (x − 3)².
func ExampleAdamW() {
	x := torch.Zeros([]int{1}, torch.Float64, torch.CPU)
	defer x.Free()
	x.SetRequiresGrad(true)
	adam := optim.NewAdamW([]*torch.Tensor{x}, 0, false)
	defer adam.Close()
	for range 200 {
		err := torch.Run(func(*torch.Scope) error {
			d := x.AddScalar(-3)
			d.Mul(d).Sum().Backward()
			defer adam.ZeroGrad()
			return adam.Step(.1, 1)
		})
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	_ = torch.Run(func(*torch.Scope) error {
		fmt.Printf("%.2f\n", x.Detach().Item())
		return nil
	})
	// Output: 3.00
}
