//go:build cgotorch

// These tests link build/lib/libcgotorch.so; package linktest runs them where it is there.

package gotorch_test

import (
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	theirs "github.com/wangkuiyi/gotorch"

	"espalier/torch"
	"espalier/torch/gotorch"
	"espalier/torch/torchtest"
)

func TestTo(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		ours := torch.From([]float32{1, 2, 3, 4, 5, 6}, torch.CPU, 2, 3)
		before := torch.LiveTensors()
		g := gotorch.To(ours)
		require.Equal(t, before, torch.LiveTensors())
		require.Equal(t, []int64{2, 3}, g.Shape())
		require.Equal(t, theirs.Float, g.Dtype())
		require.Equal(t, float32(6), g.Index(1, 2).Item())

		ours.Select(0, 1).Fill(7)
		require.Equal(t, float32(7), g.Index(1, 0).Item())
		g.AddI(theirs.Full([]int64{2, 3}, 1, false), 1)
		torchtest.Values(t, ours, []int{2, 3}, 2, 3, 4, 8, 8, 8)

		ours.Free()
		require.Equal(t, float32(8), g.Index(1, 2).Item(), "it outlives ours")
	})
}

func TestFrom(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		g := theirs.Full([]int64{2, 2}, 3, false)
		before := torch.LiveTensors()
		ours := gotorch.From(g)
		require.Equal(t, before+1, torch.LiveTensors())
		torchtest.Values(t, ours, []int{2, 2}, 3, 3, 3, 3)
		ours.Select(0, 0).Fill(5)
		require.Equal(t, float32(5), g.Index(0, 1).Item())
		g.MulI(theirs.Full([]int64{1}, 2, false))
		torchtest.Values(t, ours, []int{2, 2}, 10, 10, 6, 6)
		runtime.KeepAlive(g)
	})
}

func TestThereAndBack(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		ours := torch.From([]int64{1, 2}, torch.CPU)
		back := gotorch.From(gotorch.To(ours))
		require.Equal(t, ours.DataPointer(), back.DataPointer())
		require.Equal(t, torch.Int64, back.DType())
	})
}

// A graph may go through both: the loss is ours, an operation between is gotorch's, and the gradient is one.
func TestGradients(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		w := torch.From([]float32{1, 2}, torch.CPU).SetRequiresGrad(true)
		require.Nil(t, gotorch.From(gotorch.To(w).Grad()), "no gradient yet")
		square := gotorch.To(w)
		square = square.Mul(square)
		gotorch.From(square).Sum().Backward()
		torchtest.Values(t, w.Grad(), []int{2}, 2, 4)
		torchtest.Values(t, gotorch.From(gotorch.To(w).Grad()), []int{2}, 2, 4)
	})
}

func TestNothing(t *testing.T) {
	require.Nil(t, gotorch.From(theirs.Tensor{}))
	require.Panics(t, func() { gotorch.To(nil) })
}

// Each side frees its own handle, in either order: ours at once, gotorch's by its finalizer.
func TestBothFree(t *testing.T) {
	torchtest.Setup(t)
	before := torch.LiveTensors()
	var finalized atomic.Int32
	for range 20 {
		require.NoError(t, torch.Run(func(*torch.Scope) error {
			ours := torch.Ones([]int{1 << 10}, torch.Float32, torch.CPU)
			g := gotorch.To(ours)
			kept := gotorch.From(g).Release()                          // past their handle and our first
			runtime.AddCleanup(g.T, func(int) { finalized.Add(1) }, 0) // runs after the finalizer
			require.Equal(t, ours.DataPointer(), kept.DataPointer())
			kept.Free()
			return nil
		}))
		require.Equal(t, before, torch.LiveTensors())
	}
	require.True(t, torchtest.Collected(func() bool { return finalized.Load() == 20 }), "%d of 20", finalized.Load())
}
