//go:build cgotorch

// Make writes state.gob as gotorch does:
//
//	go run -tags=cgotorch ./torch/checkpoint/testdata/gotorch torch/checkpoint/testdata/gotorch/state.gob
package main

import (
	"encoding/gob"
	"log"
	"math"
	"os"
	"unsafe"

	theirs "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"

	_ "espalier/torch/gotorch" // gives the linker gotorch's library
)

type netModule struct {
	nn.Module
	FC   *nn.LinearModule
	Norm *nn.BatchNorm2dModule
	List []*nn.LinearModule
	W    theirs.Tensor
}

func main() {
	net := &netModule{FC: nn.Linear(2, 3, true), Norm: nn.BatchNorm2d(2, 1e-5, .1, true, true), List: []*nn.LinearModule{nn.Linear(1, 1, false)},
		W: theirs.NewTensor([]float64{math.Inf(1), math.Copysign(0, -1), math.SmallestNonzeroFloat64})}
	net.Init(net)
	state := net.StateDict()
	for name, values := range map[string][]float32{"netModule.FC.Weight": {1, 2, 3, 4, 5, 6}, "netModule.FC.Bias": {7, 8, 9}, "netModule.List[0].Weight": {10}} {
		t := state[name]
		t.SetData(theirs.FromBlob(unsafe.Pointer(&values[0]), theirs.Float, t.Shape()))
	}
	counted := theirs.NewTensor([][]int64{{0, 1, 2}, {100, 1, 0}})
	for name, d := range map[string]int8{"uint8": theirs.Byte, "int8": theirs.Char, "int16": theirs.Short, "int32": theirs.Int, "int64": theirs.Long,
		"float16": theirs.Half, "float32": theirs.Float, "float64": theirs.Double, "bool": theirs.Bool, "bfloat16": theirs.BFloat16} {
		state[name] = counted.CastTo(d)
	}
	state["transposed"] = counted.Transpose(0, 1)
	state["element"] = counted.Index(1, 0) // a view from the fourth element on
	f, err := os.Create(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	if err := gob.NewEncoder(f).Encode(state); err != nil {
		log.Fatal(err)
	}
	if err := f.Close(); err != nil {
		log.Fatal(err)
	}
}
