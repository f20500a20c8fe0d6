package torch_test

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

func TestProperties(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		x := torch.Zeros([]int{2, 0, 3}, torch.BFloat16, on)
		require.Equal(t, []int{2, 0, 3}, x.Shape())
		require.Equal(t, []int{3, 3, 2}, []int{x.Rank(), x.Size(-1), x.Size(0)})
		require.Zero(t, x.Count())
		y := torch.Zeros([]int{2, 3}, torch.BFloat16, on)
		require.Equal(t, []int{6, 12}, []int{y.Count(), y.Bytes()})
		require.Equal(t, torch.BFloat16, y.DType())
		require.Equal(t, on, y.Device())
		require.True(t, y.IsContiguous())
		require.Equal(t, "torch.Tensor([2 3] bfloat16 "+on.String()+")", y.String())
		scalar := torch.Ones(nil, torch.Int64, on)
		require.Equal(t, []int{}, scalar.Shape())
		require.Equal(t, 1, scalar.Count())
		requireError(t, torch.KindIndex, "no dimension 0", func() { scalar.Size(0) })
		requireError(t, torch.KindIndex, "no dimension -3", func() { y.Size(-3) })
	})
	var none *torch.Tensor
	require.Equal(t, "torch.Tensor(none)", none.String())
	require.Equal(t, "", none.Name())
}

func TestNamed(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		x := torch.Ones(nil, torch.Float32, torch.CPU)
		require.Equal(t, "", x.Name())
		require.Same(t, x, x.Named("bias"))
		require.Equal(t, "bias", x.Name())
	})
}

func TestItem(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		require.Equal(t, 2.5, torch.Full([]int{1, 1}, 2.5, torch.Float32, on).Item())
		require.Equal(t, 7., torch.Full(nil, 7, torch.Int64, on).Item())
		require.Equal(t, 1., torch.Full(nil, 1, torch.Bool, on).Item())
		requireError(t, torch.KindRuntime, "2 elements", func() { torch.Ones([]int{2}, torch.Float32, on).Item() })
	})
}

func TestDetachSharesMemory(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		x := floats(on, []int{2}, 1, 2)
		alias := x.Detach()
		require.Equal(t, x.DataPointer(), alias.DataPointer())
		x.Free()
		torchtest.Values(t, alias.Fill(5), []int{2}, 5, 5)
	})
}

// roundTrip sends values through a tensor, in each form.
func roundTrip[T torch.Element](t *testing.T, on torch.Device, d torch.DType, values ...T) {
	t.Helper()
	x := torch.From(values, on, 2, 2)
	require.Equal(t, d, x.DType())
	require.Equal(t, values, torch.Values[T](x))
	require.Equal(t, []T{values[0], values[2], values[1], values[3]}, torch.Values[T](x.Transpose(0, 1)), "row-major")
	raw := x.Raw()
	require.Len(t, raw, 4*d.Size())
	require.Equal(t, unsafe.Slice((*byte)(unsafe.Pointer(&values[0])), len(raw)), raw)
	require.Equal(t, values, torch.Values[T](torch.FromBytes(raw, d, on, 2, 2)))
	values[0], values[1] = values[1], values[0]
	require.NotEqual(t, values, torch.Values[T](x), "the tensor holds a copy")
}

func TestRoundTrips(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		roundTrip(t, on, torch.Uint8, uint8(0), 1, 200, 255)
		roundTrip(t, on, torch.Int8, int8(-128), -1, 0, 127)
		roundTrip(t, on, torch.Int16, int16(-32768), -1, 0, 32767)
		roundTrip(t, on, torch.Int32, int32(-1<<31), -1, 0, 1<<31-1)
		roundTrip(t, on, torch.Int64, int64(-1<<63), -1, 0, 1<<63-1)
		roundTrip(t, on, torch.Float32, float32(-1.5), 0, 1e-40, 3e38)
		roundTrip(t, on, torch.Float64, -1.5, 0, 1e-310, 1e308)
		roundTrip(t, on, torch.Bool, false, true, true, false)
		require.Empty(t, torch.Values[float32](torch.From([]float32{}, on)))
		require.Empty(t, torch.From([]float32{}, on, 3, 0).Raw())
		require.Equal(t, []int64{3, 4}, torch.Values[int64](torch.FromInts([]int{3, 4}, on)))
		require.Equal(t, []int{0}, torch.FromInts(nil, on).Shape())
	})
}

func TestFloats(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		x := floats(on, []int{3}, 1, -2, 256).SetRequiresGrad(true)
		before := torch.LiveTensors()
		for _, d := range []torch.DType{torch.Float16, torch.Float32, torch.Float64, torch.BFloat16, torch.Int16} {
			y := x.To(d)
			require.Equal(t, []float64{1, -2, 256}, y.Floats(), d)
			y.Free()
		}
		require.Equal(t, before, torch.LiveTensors(), "no scope is needed")
	})
}

// bfloat16 and float16 have no Go type: their bytes are IEEE's, little-endian.
func TestRawOfHalves(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		x := floats(on, []int{2}, 1, -2)
		require.Equal(t, []byte{0x80, 0x3f, 0x00, 0xc0}, x.To(torch.BFloat16).Raw())
		require.Equal(t, []byte{0x00, 0x3c, 0x00, 0xc0}, x.To(torch.Float16).Raw())
		require.Equal(t, []float64{1, -2}, torch.FromBytes([]byte{0x00, 0x3c, 0x00, 0xc0}, torch.Float16, on, 2).Floats())
	})
}
