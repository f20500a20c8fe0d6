package torch_test

import (
	"fmt"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

// caught is the error of an operation in f.
func caught(t *testing.T, f func()) *torch.Error {
	t.Helper()
	err := torch.Run(func(*torch.Scope) error {
		f()
		return nil
	})
	var e *torch.Error
	require.ErrorAs(t, err, &e)
	return e
}

func requireError(t *testing.T, kind torch.Kind, message string, f func()) {
	t.Helper()
	e := caught(t, f)
	require.Equal(t, kind, e.Kind, e)
	require.Contains(t, e.Message, message)
}

// here is the place of its caller, moved by some lines.
func here(lines int) string {
	_, file, line, _ := runtime.Caller(1)
	return fmt.Sprintf("%s/%s:%d", filepath.Base(filepath.Dir(file)), filepath.Base(file), line+lines)
}

func TestErrorOfAnOperation(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		a := torch.Ones([]int{2, 3}, torch.Float32, on).Named("encoder.weight")
		b := torch.Ones([]int{4, 5}, torch.Float32, on)
		place := here(1)
		e := caught(t, func() { a.MatMul(b) })
		require.Equal(t, "matmul", e.Op)
		require.Equal(t, torch.KindRuntime, e.Kind)
		require.Equal(t, []string{"encoder.weight [2 3]", "[4 5]"}, e.Operands)
		require.Equal(t, place, e.Caller)
		require.Equal(t, "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)", e.Message)
		require.Equal(t, "torch: matmul at "+place+": "+e.Message+"; operands encoder.weight [2 3] [4 5]", e.Error())
	})
}

func TestErrorHasOneLine(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		x := floats(torch.CPU, []int{2}, 1, 2).SetRequiresGrad(true)
		for _, f := range []func(){
			func() { x.Sum().Add(x).Backward() },                                                       // libtorch explains at length
			func() { torch.Ones([]int{2}, torch.Bool, torch.CPU).Neg() },                               // with a hint
			func() { x.CopyFrom(x.MulScalar(2)) },                                                      // a leaf
			func() { torch.ScaledDotProductAttention(x, x, x, nil, 1) },                                // with expectations
			func() { torch.Ones([]int{2, 2}, torch.Int64, torch.CPU).MatMul(x.Detach().Unsqueeze(0)) }, // dtypes
		} {
			text := caught(t, f).Error()
			require.NotContains(t, text, "\n")
			require.NotContains(t, text, "Exception raised from")
			require.NotContains(t, text, ".cpp")
		}
	})
}

func TestKinds(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		a := floats(torch.CPU, []int{2}, 1, 2)
		requireError(t, torch.KindIndex, "Dimension out of range", func() { a.Sum(4) })
		requireError(t, torch.KindIndex, "no dimension 1", func() { a.Size(1) })
		requireError(t, torch.KindMemory, "DefaultCPUAllocator: can't allocate memory", func() { torch.Empty([]int{1 << 50}, torch.Float32, torch.CPU) })
		requireError(t, torch.KindUnsupported, "", func() {
			torch.Ones([]int{2, 2}, torch.Bool, torch.CPU).LayerNorm(torch.Ones([]int{2}, torch.Bool, torch.CPU), nil, 0)
		})
		requireError(t, torch.KindType, "float64 asked for", func() { torch.Values[float64](a) })
		requireError(t, torch.KindMisuse, "16 bytes", func() { torch.From([]float32{1, 2}, torch.CPU, 4) })
	})
}

func TestFreedAndNilOperands(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		a := floats(torch.CPU, []int{2}, 1, 2)
		freed := floats(torch.CPU, []int{2}, 1, 2).Named("hidden")
		freed.Free()
		var none *torch.Tensor
		for _, f := range []func(){
			func() { freed.Shape() }, func() { freed.Abs() }, func() { a.Add(freed) }, func() { freed.Free(); freed.Item() },
			func() { torch.Cat(0, a, freed) }, func() { torch.Values[float32](freed) }, func() { a.SetGrad(freed) },
		} {
			requireError(t, torch.KindMisuse, "hidden was freed", f)
		}
		for _, f := range []func(){
			func() { none.Shape() }, func() { none.Abs() }, func() { a.Add(nil) }, func() { torch.Cat(0, a, nil) }, func() { none.Size(0) },
			func() { torch.Where(nil, a, a) }, func() { none.DType() }, func() { none.Floats() }, func() { none.RequiresGrad() },
			func() { a.LayerNorm(nil, nil, 0) }, func() { none.Backward() }, func() { none.RegisterHook(nil) },
		} {
			requireError(t, torch.KindMisuse, "is nil", f)
		}
		place := here(1)
		e := caught(t, func() { a.Add(freed) })
		require.Equal(t, place, e.Caller)
	})
}
