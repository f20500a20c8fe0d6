package torch_test

import (
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

func one() *torch.Tensor { return torch.Ones([]int{2}, torch.Float32, torch.CPU) }

// alive tells whether x can be used.
func alive(x *torch.Tensor) bool { return x.String() != "torch.Tensor(none)" }

func TestScopeFrees(t *testing.T) {
	torchtest.Setup(t)
	before := torch.LiveTensors()
	var x, y *torch.Tensor
	require.NoError(t, torch.Run(func(*torch.Scope) error {
		x = one()
		y = x.Add(x)
		require.Equal(t, before+2, torch.LiveTensors())
		return nil
	}))
	require.False(t, alive(x) || alive(y))
	require.Equal(t, before, torch.LiveTensors())
}

func TestNestedScopes(t *testing.T) {
	torchtest.Setup(t)
	var kept, twice, dropped, after *torch.Tensor
	require.NoError(t, torch.Run(func(outer *torch.Scope) error {
		require.NoError(t, torch.Run(func(middle *torch.Scope) error {
			require.NoError(t, torch.Run(func(inner *torch.Scope) error {
				kept, twice, dropped = one(), one(), one()
				inner.Keep(kept, twice, nil)
				return nil
			}))
			require.True(t, alive(kept) && alive(twice))
			require.False(t, alive(dropped))
			middle.Keep(twice)
			return nil
		}))
		require.False(t, alive(kept), "kept by the inner scope only")
		require.True(t, alive(twice))
		after = one() // belongs to the outer scope again
		outer.Keep(twice)
		return nil
	}))
	require.False(t, alive(after))
	require.True(t, alive(twice), "kept past the outermost scope")
	twice.Free()
}

func TestKeepOfOthers(t *testing.T) {
	torchtest.Setup(t)
	outside := one()
	defer outside.Free()
	require.NoError(t, torch.Run(func(outer *torch.Scope) error {
		mine := one()
		require.NoError(t, torch.Run(func(inner *torch.Scope) error {
			inner.Keep(mine, outside)
			return nil
		}))
		require.True(t, alive(mine) && alive(outside))
		return nil
	}))
	require.True(t, alive(outside))
	var none *torch.Scope
	none.Keep(outside)
}

func TestFreeInScope(t *testing.T) {
	torchtest.Setup(t)
	require.NoError(t, torch.Run(func(s *torch.Scope) error {
		x, y := one(), one()
		before := torch.LiveTensors()
		s.Keep(y)
		x.Free()
		x.Free() // does nothing
		y.Free()
		require.Equal(t, before-2, torch.LiveTensors())
		return nil
	}))
	(*torch.Tensor)(nil).Free()
}

func TestRelease(t *testing.T) {
	torchtest.Setup(t)
	var x, kept *torch.Tensor
	require.NoError(t, torch.Run(func(s *torch.Scope) error {
		return torch.Run(func(inner *torch.Scope) error {
			x, kept = one(), one()
			inner.Keep(kept)
			require.Same(t, x, x.Release())
			require.Same(t, kept, kept.Release())
			require.Same(t, x, x.Release().Release())
			return nil
		})
	}))
	require.True(t, alive(x) && alive(kept))
	x.Free()
	kept.Free()
	require.False(t, alive(x))
}

// The collector frees what is unreachable outside of scopes, and never what was freed by hand.
func TestCollectorFrees(t *testing.T) {
	torchtest.Setup(t) // fails when they stay
	for range 50 {
		one()
		one().Free()
		x := one()
		x.Free()
		x.Free()
	}
}

func TestInner(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		x := one()
		var inside, given *torch.Tensor
		block := func(s *torch.Scope, _ []*torch.Tensor) *torch.Tensor {
			inside, given = x.Add(x), x.Add(x)
			s.Keep(given)
			return inside.Mul(x)
		}
		y := torch.Inner(block)
		require.True(t, alive(y) && alive(inside), "with gradients, autograd's graph is as large anyway")
		torch.NoGrad(func() {
			before := torch.LiveTensors()
			y = torch.Inner(block)
			require.False(t, alive(inside))
			require.Equal(t, before+2, torch.LiveTensors())
			torchtest.Values(t, y, []int{2}, 2, 2)
			torchtest.Values(t, given, []int{2}, 2, 2)
			require.Same(t, x, torch.Inner(func(*torch.Scope, []*torch.Tensor) *torch.Tensor { return x }), "not the inner scope's own")
			torch.Inner(func(*torch.Scope, []*torch.Tensor) *torch.Tensor { return torch.Inner(block) })
			require.Nil(t, torch.Inner(func(*torch.Scope, []*torch.Tensor) *torch.Tensor { return nil }))
		})
	})
}

func TestScopesInParallel(t *testing.T) {
	torchtest.Setup(t)
	shared := one().SetRequiresGrad(true)
	defer shared.Free()
	var wg sync.WaitGroup
	for g := range 32 {
		wg.Go(func() {
			for range 50 {
				err := torch.Run(func(outer *torch.Scope) error {
					var kept *torch.Tensor
					if g%2 == 0 {
						torch.NoGrad(func() {
							runtime.Gosched()
							kept = torch.Inner(func(*torch.Scope, []*torch.Tensor) *torch.Tensor { return shared.Add(shared).MulScalar(2) })
							if kept.RequiresGrad() {
								t.Error("a gradient inside of NoGrad")
							}
						})
					} else {
						err := torch.Run(func(inner *torch.Scope) error {
							runtime.Gosched()
							kept = shared.Add(shared).MulScalar(2)
							inner.Keep(kept)
							return nil
						})
						if err != nil || !kept.RequiresGrad() {
							t.Error("gradients are off outside of NoGrad:", err)
						}
					}
					if got := torch.Values[float32](kept); got[0] != 4 {
						t.Error("got", got)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestTooManyScopes(t *testing.T) {
	torchtest.Setup(t)
	var failed error
	var nest func(depth int)
	nest = func(depth int) {
		failed = torch.Run(func(*torch.Scope) error {
			nest(depth + 1)
			return failed
		})
	}
	for range 2 {
		failed = nil
		nest(0)
		require.ErrorContains(t, failed, "more than 4095 scopes open at once")
		requireOutsideScopes(t)
	}
	require.NoError(t, torch.Run(func(*torch.Scope) error { return nil }))
}
