package torch_test

import (
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/optim"
	"espalier/torch/torchtest"
)

const soakSteps = 10_000

// A training step that uses what steps use: recomputed blocks, a hook, autocast, clipping, an error on the way, a tensor
// that outlives its scope.
type soak struct {
	x, norm, kept                   *torch.Tensor
	layers, first, second, counters []*torch.Tensor
}

func (s *soak) step() error {
	err := torch.Run(func(*torch.Scope) error {
		torch.Autocast(torch.CPU, torch.BFloat16, func() {
			torch.Recompute(func() {
				y := s.x
				for _, w := range s.layers {
					y = torch.Inner(func(_ *torch.Scope, in []*torch.Tensor) *torch.Tensor {
						return in[0].LayerNorm(s.norm, nil, 1e-5).Linear(w, nil).GELU(false)
					}, y)
				}
				y.RegisterHook(func(g *torch.Tensor) *torch.Tensor { return g.MulScalar(.5) })
				y.To(torch.Float32).Mul(y).Mean().Backward()
			})
		})
		norm := torch.GatherGrads(s.layers)
		failed := torch.Run(func(*torch.Scope) error {
			s.x.MatMul(s.norm.Slice(0, 0, 3))
			return nil
		})
		if failed == nil {
			return errors.New("a product of shapes that do not fit")
		}
		s.kept.Free()
		s.kept = s.x.MulScalar(2).Release()
		grads := make([]*torch.Tensor, len(s.layers))
		for i, w := range s.layers {
			grads[i] = w.Grad()
		}
		torch.AdamWStep(s.layers, grads, s.first, s.second, s.counters, optim.ClipScale(norm, 1), 1e-4, .9, .999, 1e-8, 0)
		return nil
	})
	for _, leaf := range append(s.layers, s.x) {
		leaf.SetGrad(nil)
	}
	return err
}

// After the first steps have filled every cache, further ones hold nothing back: no tensor, no goroutine, no memory.
func TestStepsHoldNothingBack(t *testing.T) {
	torchtest.Setup(t)
	const width = 64
	g := torch.NewGenerator(1)
	s := &soak{x: g.Randn(16, width), norm: torch.Ones([]int{width}, torch.Float32, torch.CPU)}
	s.x.SetRequiresGrad(true)
	zeros := func(shape ...int) *torch.Tensor { return torch.Zeros(shape, torch.Float32, torch.CPU) }
	for range 2 {
		s.layers = append(s.layers, g.Randn(width, width).SetRequiresGrad(true))
		s.first, s.second, s.counters = append(s.first, zeros(width, width)), append(s.second, zeros(width, width)), append(s.counters, zeros())
	}
	steps := soakSteps
	if testing.Short() || sanitized() {
		steps /= 10
	}
	run := func(n int) {
		for range n {
			require.NoError(t, s.step())
		}
		runtime.GC()
		torch.TrimMemory()
	}
	residentBytes := func() int {
		n, err := statusBytes("VmRSS")
		require.NoError(t, err)
		return n
	}
	run(steps / 10)
	tensors, goroutines, resident := torch.LiveTensors(), runtime.NumGoroutine(), residentBytes()
	run(steps - steps/10)
	require.Equal(t, tensors, torch.LiveTensors())
	require.LessOrEqual(t, runtime.NumGoroutine(), goroutines)
	runtime.KeepAlive(s) // or the collector would have freed some of its tensors by now
	if sanitized() {
		t.Skip("NOT TESTED: a sanitizer holds on to freed memory")
	}
	grown := residentBytes() - resident
	t.Logf("%d steps: %d KiB more resident", steps-steps/10, grown>>10)
	// The smallest gradient of a layer takes 16 KiB; one held back in every sixteenth step would show.
	require.Less(t, grown, max(8<<20, (steps-steps/10)*width*width*4/16))
}
