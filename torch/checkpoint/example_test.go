package checkpoint_test

import (
	"fmt"
	"os"
	"path/filepath"

	"espalier/torch"
	"espalier/torch/checkpoint"
)

// A checkpoint of any format is a source of named tensors. A conversion is a chain of sources: here another dtype, written as PyTorch's .pt.
func ExampleOpen() {
	folder, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "model.safetensors")
	err = torch.Run(func(*torch.Scope) error {
		w := torch.From([]float32{1, 2, 3, 4}, torch.CPU, 2, 2)
		return checkpoint.WriteSafeTensors(file, map[string]*torch.Tensor{"fc.weight": w}, nil)
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	source, err := checkpoint.Open(file, "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer source.Close()
	half := checkpoint.Cast{Source: source, To: torch.BFloat16}
	if err := checkpoint.CopyPT(filepath.Join(folder, "model.pt"), half); err != nil {
		fmt.Println(err)
		return
	}
	written, err := checkpoint.Open(filepath.Join(folder, "model.pt"), "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer written.Close()
	for _, name := range written.Names() {
		info, _ := written.Info(name)
		fmt.Println(name, info.DType, info.Shape)
	}
	// Output: fc.weight bfloat16 [2 2]
}
