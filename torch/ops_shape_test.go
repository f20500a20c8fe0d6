package torch_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

func TestShapes(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		a := floats(on, []int{2, 3}, 1, 2, 3, 4, 5, 6)
		same := list(1, 2, 3, 4, 5, 6)
		turned := list(1, 4, 2, 5, 3, 6)
		checkOps(t, on, []opCase{
			{"Reshape", a.Reshape(3, -1), f32, []int{3, 2}, same},
			{"Reshape to a scalar", floats(on, []int{1}, 9).Reshape(), f32, nil, list(9)},
			{"Flatten", a.Reshape(2, 3, 1).Flatten(0, 1), f32, []int{6, 1}, same},
			{"Unflatten", a.Unflatten(-1, 3, 1), f32, []int{2, 3, 1}, same},
			{"Unflatten with -1", a.Unflatten(1, 1, -1), f32, []int{2, 1, 3}, same},
			{"Transpose", a.Transpose(0, 1), f32, []int{3, 2}, turned},
			{"Permute", a.Unsqueeze(0).Permute(2, 0, 1), f32, []int{3, 1, 2}, turned},
			{"Unsqueeze", a.Unsqueeze(-1), f32, []int{2, 3, 1}, same},
			{"Squeeze", a.Reshape(2, 1, 3).Squeeze(1), f32, []int{2, 3}, same},
			{"Contiguous", a.Transpose(0, 1).Contiguous(), f32, []int{3, 2}, turned},
		})
		require.False(t, a.Transpose(0, 1).IsContiguous())
		require.True(t, a.Transpose(0, 1).Contiguous().IsContiguous())
	})
}

func TestRepeating(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		a := floats(on, []int{1, 2}, 1, 2)
		like := torch.Zeros([]int{3, 7}, torch.Int64, on)
		checkOps(t, on, []opCase{
			{"Expand", a.Expand(3, -1), f32, []int{3, 2}, list(1, 2, 1, 2, 1, 2)},
			{"ExpandFirst", a.ExpandFirst(like), f32, []int{3, 2}, list(1, 2, 1, 2, 1, 2)},
			{"RepeatInterleave", a.RepeatInterleave(2, 1), f32, []int{1, 4}, list(1, 1, 2, 2)},
		})
		require.Equal(t, a.DataPointer(), a.Expand(3, -1).DataPointer(), "no copy")
		scalar := torch.Ones(nil, torch.Float32, on)
		requireError(t, torch.KindRuntime, "a scalar has no first dimension", func() { scalar.ExpandFirst(like) })
	})
}

func TestParts(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		a := floats(on, []int{2, 3}, 1, 2, 3, 4, 5, 6)
		checkOps(t, on, []opCase{
			{"Narrow", a.Narrow(1, 1, 2), f32, []int{2, 2}, list(2, 3, 5, 6)},
			{"Slice", a.Slice(1, 0, 2), f32, []int{2, 2}, list(1, 2, 4, 5)},
			{"Slice from the end", a.Slice(-1, -2, 3), f32, []int{2, 2}, list(2, 3, 5, 6)},
			{"Slice without the last", a.Slice(1, 1, -1), f32, []int{2, 1}, list(2, 5)},
			{"Select", a.Select(0, 1), f32, []int{3}, list(4, 5, 6)},
			{"Select the last", a.Select(1, -1), f32, []int{2}, list(3, 6)},
		})
		a.Narrow(1, 1, 2).Fill(0)
		torchtest.Values(t, a, []int{2, 3}, 1, 0, 0, 4, 0, 0) // views, not copies
	})
}

func TestJoining(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		a, b := floats(on, []int{1, 2}, 1, 2), floats(on, []int{1, 2}, 3, 4)
		checkOps(t, on, []opCase{
			{"Cat rows", torch.Cat(0, a, b, a), f32, []int{3, 2}, list(1, 2, 3, 4, 1, 2)},
			{"Cat columns", torch.Cat(-1, a, b), f32, []int{1, 4}, list(1, 2, 3, 4)},
		})
		requireError(t, torch.KindRuntime, "", func() { torch.Cat(0) })
	})
}
