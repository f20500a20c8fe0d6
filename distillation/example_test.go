package distillation_test

import (
	"fmt"

	"espalier/distillation"
	"espalier/torch"
)

// The loss of a student that says what its teacher says is what the right token's lead over its rivals leaves; one that prefers another token is far
// from its teacher.
func ExampleLoss() {
	_ = torch.Run(func(*torch.Scope) error {
		teacher := distillation.Logits(torch.From([]float64{2, 0, 0}, torch.CPU, 1, 3))
		right := torch.From([]int64{0}, torch.CPU)
		loss := distillation.Loss{KL: 1, Temperature: 2, Pair: 1}
		for _, student := range [][]float64{{2, 0, 0}, {0, 2, 0}} {
			fmt.Printf("%.3f\n", loss.Of(torch.From(student, torch.CPU, 1, 3), teacher, right, nil).Item())
		}
		return nil
	})
	// Output:
	// 0.127
	// 3.584
}
