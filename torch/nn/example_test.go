package nn_test

import (
	"fmt"

	"espalier/torch"
	"espalier/torch/nn"
)

// A network is declared once. From the axes come names, shapes and what is cut with a unit: when two of three FFN units stay, both
// layers lose a slice, and the same declaration gives the smaller network.
func ExampleDeclare() {
	declare := func(b *nn.Builder) {
		b = b.Tower("language", "language_blocks").Sub("mlp")
		hidden, ffn := b.Axis("hidden", nn.Hidden, 2), b.Axis("ffn", nn.FFN, 3)
		b.Linear("fc1", ffn.Dim(), hidden.Dim(), nn.Normal(.02))
		b.Linear("fc2", hidden.Dim(), ffn.Dim(), nn.Normal(.02))
	}
	whole, err := nn.Declare(nil, declare)
	if err != nil {
		fmt.Println(err)
		return
	}
	cut := whole.Cut(map[*nn.Axis][]int{whole.Axis("mlp.ffn"): {0, 2}})
	small, err := nn.Declare(&cut.Structure, declare)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i, p := range whole.Params() {
		fmt.Println(p.Name, p.Shape(), "→", small.Params()[i].Shape())
	}
	// Output:
	// mlp.fc1.weight [3 2] → [2 2]
	// mlp.fc1.bias [3] → [2]
	// mlp.fc2.weight [2 3] → [2 2]
	// mlp.fc2.bias [2] → [2]
}

// A gate multiplies the activations of an axis' units, so that a cut can be tried without cutting.
func ExampleAxis_Gated() {
	var ffn *nn.Axis
	store, err := nn.Declare(nil, func(b *nn.Builder) { ffn = b.Tower("language", "language_blocks").Axis("ffn", nn.FFN, 3) })
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = torch.Run(func(*torch.Scope) error {
		x := torch.From([]float64{1, 2, 3}, torch.CPU, 1, 1, 3)
		fmt.Println(ffn.Gated(x).Floats())
		store.SetGates(map[string]*torch.Tensor{"ffn": torch.From([]float64{1, 0, 1}, torch.CPU)})
		fmt.Println(ffn.Gated(x).Floats())
		store.SetGates(nil)
		return nil
	})
	// Output:
	// [1 2 3]
	// [1 0 3]
}
