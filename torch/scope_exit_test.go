package torch_test

// The ways out of a scope: an error, a panic, Goexit.

import (
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

func TestErrorFreesKept(t *testing.T) {
	torchtest.Setup(t)
	before := torch.LiveTensors()
	failure := errors.New("no")
	var x *torch.Tensor
	err := torch.Run(func(s *torch.Scope) error {
		x = one()
		s.Keep(x)
		return failure
	})
	require.Same(t, failure, err)
	require.False(t, alive(x), "nobody gets it")
	require.Equal(t, before, torch.LiveTensors())
}

func TestPanicOfAnOperation(t *testing.T) {
	torchtest.Setup(t)
	before := torch.LiveTensors()
	var kept *torch.Tensor
	err := torch.Run(func(outer *torch.Scope) error {
		inner := torch.Run(func(s *torch.Scope) error {
			kept = one()
			s.Keep(kept)
			torch.NoGrad(func() { kept.MatMul(torch.Ones([]int{3}, torch.Float32, torch.CPU)) })
			return nil
		})
		require.Error(t, inner)
		require.True(t, torch.GradEnabled())
		require.False(t, alive(kept))
		x := one() // the outer scope is in force again
		require.Equal(t, before+1, torch.LiveTensors())
		x.Free()
		return inner
	})
	var e *torch.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, "matmul", e.Op)
	require.Equal(t, before, torch.LiveTensors())
}

func TestForeignPanicPasses(t *testing.T) {
	torchtest.Setup(t)
	before := torch.LiveTensors()
	require.PanicsWithValue(t, "mine", func() {
		_ = torch.Run(func(s *torch.Scope) error {
			s.Keep(one())
			torch.NoGrad(func() { panic("mine") })
			return nil
		})
	})
	require.True(t, torch.GradEnabled())
	require.Equal(t, before, torch.LiveTensors())
	requireOutsideScopes(t)
}

// A test that fails inside of a scope leaves its goroutine by Goexit: neither a panic nor a return.
func TestGoexit(t *testing.T) {
	torchtest.Setup(t)
	before := torch.LiveTensors()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = torch.Run(func(s *torch.Scope) error {
			s.Keep(one())
			runtime.Goexit()
			return nil
		})
	}()
	<-done
	require.Equal(t, before, torch.LiveTensors())
}

func requireOutsideScopes(t *testing.T) {
	t.Helper()
	x := one()
	require.NoError(t, torch.Run(func(s *torch.Scope) error { return nil }))
	require.True(t, alive(x))
	x.Free()
}

func TestInnerPanics(t *testing.T) {
	torchtest.Setup(t)
	before := torch.LiveTensors()
	torch.NoGrad(func() {
		require.Panics(t, func() {
			torch.Inner(func(s *torch.Scope, _ []*torch.Tensor) *torch.Tensor {
				x := one()
				s.Keep(x)
				return x.Reshape(3)
			})
		})
		require.Equal(t, before, torch.LiveTensors())
		requireOutsideScopes(t)
	})
}
