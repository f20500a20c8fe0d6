package torch_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

func TestDTypes(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		for _, c := range []struct {
			d       torch.DType
			name    string
			size    int
			isFloat bool
		}{
			{torch.Uint8, "uint8", 1, false}, {torch.Int8, "int8", 1, false}, {torch.Int16, "int16", 2, false},
			{torch.Int32, "int32", 4, false}, {torch.Int64, "int64", 8, false}, {torch.Float16, "float16", 2, true},
			{torch.Float32, "float32", 4, true}, {torch.Float64, "float64", 8, true}, {torch.Bool, "bool", 1, false},
			{torch.BFloat16, "bfloat16", 2, true},
		} {
			require.Equal(t, c.name, c.d.String())
			require.Equal(t, c.size, c.d.Size())
			require.Equal(t, c.isFloat, c.d.IsFloat())
			x := torch.Ones([]int{3}, c.d, on) // the numbers are libtorch's
			require.Equal(t, c.d, x.DType())
			require.Len(t, x.Raw(), 3*c.size)
			require.Equal(t, []float64{1, 1, 1}, x.Floats())
		}
	})
	require.Equal(t, "dtype(99)", torch.DType(99).String())
}
