package torch_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

func TestExportAndImport(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		x := leaf(on, []int{2}, 1, 2)
		before := torch.LiveTensors()
		p := x.Export()
		require.Equal(t, before, torch.LiveTensors())
		y := torch.Import(p)
		require.Equal(t, before+1, torch.LiveTensors())
		require.Equal(t, x.DataPointer(), y.DataPointer())
		y.Mul(y).Sum().Backward()
		torchtest.Values(t, x.Grad(), []int{2}, 2, 4) // one tensor, two handles
		x.Free()
		torchtest.Values(t, y, []int{2}, 1, 2)
		// p's eight bytes are left behind: the test of torch/gotorch sees its owner delete them.
	})
	requireError(t, torch.KindMisuse, "nil at::Tensor", func() { torch.Import(nil) })
}
