package torch_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

func TestHookSeesAndReplaces(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		w := leaf(on, []int{2}, 3, 4)
		x := w.MulScalar(2) // not a leaf
		var seen [][]float64
		x.RegisterHook(func(g *torch.Tensor) *torch.Tensor {
			seen = append(seen, g.Floats())
			return nil
		})
		x.RegisterHook(func(g *torch.Tensor) *torch.Tensor { return g.MulScalar(10) })
		x.RegisterHook(func(g *torch.Tensor) *torch.Tensor {
			seen = append(seen, g.Floats())
			return g // the borrowed one itself changes nothing
		})
		x.Mul(x).Sum().Backward()
		require.Equal(t, [][]float64{{12, 16}, {120, 160}}, seen)
		torchtest.Values(t, w.Grad(), []int{2}, 240, 320)
	})
}

func TestHookOnLeaf(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		w := leaf(on, []int{2}, 3, 4)
		constant := floats(on, []int{2}, 1, 1)
		calls := 0
		h := w.RegisterHook(func(*torch.Tensor) *torch.Tensor {
			calls++
			return constant
		})
		w.Mul(w).Add(w).Sum().Backward()
		require.Equal(t, 1, calls, "once, with the sum")
		torchtest.Values(t, w.Grad(), []int{2}, 1, 1)
		h.Remove()
		h.Remove() // does nothing
		w.SetGrad(nil)
		w.Mul(w).Sum().Backward()
		require.Equal(t, 1, calls)
		torchtest.Values(t, w.Grad(), []int{2}, 6, 8)
		torchtest.Values(t, constant, []int{2}, 1, 1)
	})
}

func TestHookPanics(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		w := leaf(on, []int{2}, 3, 4)
		panics := true
		w.RegisterHook(func(g *torch.Tensor) *torch.Tensor {
			if panics {
				panic("not today")
			}
			return g.Reshape(7)
		})
		e := caught(t, func() { w.Mul(w).Sum().Backward() })
		require.Equal(t, "backward", e.Op)
		require.Equal(t, torch.KindCallback, e.Kind)
		require.Equal(t, "gradient hook: not today", e.Message)
		panics = false
		e = caught(t, func() { w.Mul(w).Sum().Backward() })
		require.Equal(t, torch.KindCallback, e.Kind)
		require.Contains(t, e.Message, "gradient hook: torch: reshape at torch/hook_test.go:")
	})
}

// A test's FailNow ends its goroutine; C++ is still waiting for the hook's answer.
func TestGoexitInCallbacks(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		w := leaf(torch.CPU, []int{2}, 3, 4)
		h := w.RegisterHook(func(g *torch.Tensor) *torch.Tensor {
			_ = torch.Run(func(*torch.Scope) error {
				runtime.Goexit()
				return nil
			})
			return nil
		})
		requireError(t, torch.KindCallback, "gradient hook: it called runtime.Goexit", func() { w.Mul(w).Sum().Backward() })
		h.Remove()
		forwards := 0
		torch.Recompute(func() {
			loss := torch.Inner(func(*torch.Scope, []*torch.Tensor) *torch.Tensor {
				if forwards++; forwards > 1 {
					runtime.Goexit()
				}
				return w.Mul(w).Sum()
			})
			requireError(t, torch.KindCallback, "a block computed again: it called runtime.Goexit", loss.Backward)
		})
		w.Mul(w).Sum().Backward()
		torchtest.Values(t, w.Grad(), []int{2}, 6, 8)
	})
}

func TestHookRefusesAnotherShape(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		w, other := leaf(torch.CPU, []int{2}, 3, 4), floats(torch.CPU, []int{3}, 1, 2, 3)
		w.RegisterHook(func(*torch.Tensor) *torch.Tensor { return other })
		requireError(t, torch.KindRuntime, "size", func() { w.Mul(w).Sum().Backward() })
	})
}

// The gradient is borrowed: neither Free nor keeping it can hurt.
func TestHookBorrows(t *testing.T) {
	torchtest.Run(t, func(s *torch.Scope) {
		w := leaf(torch.CPU, []int{2}, 3, 4)
		var stolen *torch.Tensor
		w.RegisterHook(func(g *torch.Tensor) *torch.Tensor {
			g.Free()
			s.Keep(g)
			stolen = g.Release()
			torchtest.Values(t, g, []int{2}, 6, 8)
			return nil
		})
		w.Mul(w).Sum().Backward()
		torchtest.Values(t, w.Grad(), []int{2}, 6, 8)
		requireError(t, torch.KindMisuse, "was freed", func() { stolen.Shape() })
		before := torch.LiveTensors()
		stolen.Free()
		require.Equal(t, before, torch.LiveTensors())
	})
}

func TestHookErrors(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		x := floats(torch.CPU, []int{2}, 1, 2)
		requireError(t, torch.KindRuntime, "doesn't require gradient", func() {
			x.RegisterHook(func(*torch.Tensor) *torch.Tensor { return nil })
		})
	})
}

// A hook's function, and what it holds on to, is let go with the hook, with its tensor, and when it was never installed.
func TestHookIsReleased(t *testing.T) {
	torchtest.Setup(t)
	released := make(chan string, 3)
	requireReleased := func(name string) {
		t.Helper()
		require.True(t, torchtest.Collected(func() bool { return len(released) > 0 }), "the function of the hook %q is held", name)
		require.Equal(t, name, <-released)
	}
	hook := func(name string, x *torch.Tensor) *torch.Hook {
		held := new([1 << 10]byte)
		runtime.AddCleanup(held, func(name string) { released <- name }, name)
		return x.RegisterHook(func(*torch.Tensor) *torch.Tensor {
			held[0]++
			return nil
		})
	}
	removed, freed := leaf(torch.CPU, []int{1}, 1), leaf(torch.CPU, []int{1}, 1)
	hook("removed", removed).Remove()
	requireReleased("removed")
	hook("freed", freed)
	freed.Free()
	requireReleased("freed")
	plain := floats(torch.CPU, []int{1}, 1)
	require.Panics(t, func() { hook("refused", plain) })
	plain.Free()
	requireReleased("refused")
	removed.Free()
}
