package torch_test

import (
	"runtime"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

func TestCreate(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		checkOps(t, on, []opCase{
			{"Full", torch.Full([]int{2, 1}, 2.5, torch.Float64, on), torch.Float64, []int{2, 1}, list(2.5, 2.5)},
			{"Zeros", torch.Zeros([]int{2}, torch.Int32, on), torch.Int32, []int{2}, list(0, 0)},
			{"Ones", torch.Ones([]int{2}, torch.Bool, on), torch.Bool, []int{2}, list(1, 1)},
			{"Arange", torch.Arange(-1, 3, on), i64, []int{4}, list(-1, 0, 1, 2)},
			{"Arange of none", torch.Arange(3, 3, on), i64, []int{0}, nil},
		})
		empty := torch.Empty([]int{2, 3}, torch.Float16, on)
		require.Equal(t, []int{2, 3}, empty.Shape())
		require.Equal(t, torch.Float16, empty.DType())
		require.Equal(t, on, empty.Device())
	})
}

func TestFromRefusesOtherLengths(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		requireError(t, torch.KindMisuse, "shape [2 2] of float32 needs 16 bytes, 12 given", func() { torch.From([]float32{1, 2, 3}, torch.CPU, 2, 2) })
		for _, shape := range [][]int{{-1}, {-1, -1}, {1 << 32, 1 << 32}} { // the products of the last two are 1 and 0
			requireError(t, torch.KindMisuse, "there is no tensor of shape", func() { torch.From([]float32{1}, torch.CPU, shape...) })
			requireError(t, torch.KindMisuse, "there is no tensor of shape", func() { torch.From([]float32{}, torch.CPU, shape...) })
		}
		requireError(t, torch.KindMisuse, "", func() { torch.FromBytes([]byte{1, 2, 3}, torch.Int16, torch.CPU, 1) })
	})
}

// Parameters lie on 64-byte boundaries, whatever the address of the source: kernels give other bits elsewhere.
func TestFromAligns(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		data := make([]byte, 64+8)
		for shift := range 8 {
			x := torch.FromBytes(data[shift:shift+64], torch.Float32, torch.CPU, 16)
			require.Zero(t, uintptr(x.DataPointer())%64)
		}
	})
}

func TestBorrow(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		data := []float32{1, 2, 3, 4}
		var pin runtime.Pinner
		defer pin.Unpin()
		pin.Pin(&data[0])
		x := torch.Borrow(unsafe.Pointer(&data[0]), torch.Float32, 2, 2)
		data[1] = 20
		torchtest.Values(t, x, []int{2, 2}, 1, 20, 3, 4)
		x.CopyFrom(x.MulScalar(2))
		require.Equal(t, []float32{2, 40, 6, 8}, data)
	})
}

func TestConversions(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		x := floats(on, []int{3}, -1.7, 0, 2.9)
		require.Equal(t, []int64{-1, 0, 2}, torch.Values[int64](x.To(torch.Int64)), "towards zero")
		require.Equal(t, []bool{true, false, true}, torch.Values[bool](x.To(torch.Bool)))
		require.Equal(t, x.DataPointer(), x.To(torch.Float32).DataPointer())
		require.Equal(t, x.DataPointer(), x.ToDevice(on).DataPointer())
		onCPU := x.ToDevice(torch.CPU)
		require.Equal(t, torch.CPU, onCPU.Device())
		torchtest.Close(t, x, onCPU)

		clone, shared := x.Transpose(0, 0).Clone(), x.Detach()
		x.Fill(5)
		torchtest.Values(t, clone, []int{3}, -1.7, 0, 2.9)
		torchtest.Values(t, shared, []int{3}, 5, 5, 5)
		m := floats(on, []int{2, 2}, 1, 2, 3, 4).Transpose(0, 1)
		require.True(t, m.Clone().IsContiguous())
	})
}
