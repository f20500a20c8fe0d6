package torchtest

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
)

// spy is a test that may fail without failing this one.
type spy struct {
	testing.TB
	failed   bool
	cleanups []func()
}

func (s *spy) Helper()               {}
func (s *spy) Errorf(string, ...any) { s.failed = true }
func (s *spy) Failed() bool          { return s.failed }
func (s *spy) Cleanup(f func())      { s.cleanups = append(s.cleanups, f) }

func (s *spy) FailNow() { panic(s) }

// fails tells whether f fails the test that it is given, and runs that test's clean-ups.
func fails(t *testing.T, f func(t testing.TB)) bool {
	s := &spy{TB: t}
	func() {
		defer func() {
			if r := recover(); r != nil && r != any(s) {
				panic(r)
			}
		}()
		f(s)
	}()
	for _, c := range s.cleanups {
		c()
	}
	return s.failed
}

func TestSetupFindsLeaks(t *testing.T) {
	var leaked *torch.Tensor
	require.True(t, fails(t, func(t testing.TB) {
		Setup(t)
		leaked = torch.Ones([]int{2}, torch.Float32, torch.CPU)
	}))
	leaked.Free()
	require.False(t, fails(t, func(t testing.TB) {
		Setup(t)
		torch.Ones([]int{2}, torch.Float32, torch.CPU) // let go of: Go's collector frees it
	}))
}

func TestSetupThreads(t *testing.T) {
	before := torch.NumThreads()
	require.False(t, fails(t, func(t testing.TB) {
		Setup(t)
		require.Equal(t, 1, torch.NumThreads())
	}))
	require.Equal(t, before, torch.NumThreads())
}

func TestDevices(t *testing.T) {
	var seen []torch.Device
	Devices(t, func(t *testing.T, on torch.Device) {
		seen = append(seen, on)
		require.Equal(t, on, torch.Ones([]int{2}, torch.Float32, on).Device())
	})
	require.Equal(t, present(), seen)
	if strings.HasPrefix(torch.Version(), "2.11.") { // for older ones it is not built
		require.Equal(t, torch.CUDADevices() == 0, slices.Contains(seen, torch.Test), "make builds it")
	}
	require.Equal(t, torch.CPU, seen[0])
}

func TestDifference(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		want, got        []float64
		tolerance, floor float64
		same             bool
	}{
		{[]float64{100, 1}, []float64{100, 1.9}, .01, 0, true}, // a share of the largest value, not of each
		{[]float64{100, 1}, []float64{100, 2.1}, .01, 0, false},
		{[]float64{0, 0}, []float64{0, 1e-30}, .01, 0, false},
		{[]float64{0, 0}, []float64{0, 1e-30}, .01, 1e-20, true},
		{[]float64{1, inf, -inf, nan}, []float64{1, inf, -inf, nan}, 0, 0, true},
		{[]float64{1, inf}, []float64{1, 5}, 1, 0, false},
		{[]float64{1, inf}, []float64{1, -inf}, 1, 0, false},
		{[]float64{1, 1}, []float64{1, nan}, 1, 0, false},
		{[]float64{1, nan}, []float64{1, 1}, 1, 0, false},
		{nil, nil, 0, 0, true},
	} {
		require.Equal(t, c.same, difference(c.want, c.got, c.tolerance, c.floor) == "", "%v", c)
	}
}

func TestCloseAndValues(t *testing.T) {
	Run(t, func(*torch.Scope) {
		a := torch.From([]float32{1, 2, 3, 4}, torch.CPU, 2, 2)
		near := torch.From([]float32{1, 2, 3, 4.00001}, torch.CPU, 2, 2)
		far := torch.From([]float32{1, 2, 3, 4.001}, torch.CPU, 2, 2)
		require.False(t, fails(t, func(t testing.TB) { Close(t, a, near) }))
		require.True(t, fails(t, func(t testing.TB) { Close(t, a, far) }))
		require.False(t, fails(t, func(t testing.TB) { Close(t, a.To(torch.BFloat16), far.To(torch.BFloat16)) }))
		require.True(t, fails(t, func(t testing.TB) { Close(t, a, near.Flatten(0, 1)) }), "another shape")
		require.True(t, fails(t, func(t testing.TB) { Close(t, a.To(torch.Int64), a.To(torch.Int64).Add(torch.Arange(0, 2, torch.CPU))) }))
		require.True(t, fails(t, func(t testing.TB) { Close(t, a, nil) }))
		require.False(t, fails(t, func(t testing.TB) { Values(t, a, []int{2, 2}, 1, 2, 3, 4) }))
		require.True(t, fails(t, func(t testing.TB) { Values(t, a, []int{4}, 1, 2, 3, 4) }))
		require.True(t, fails(t, func(t testing.TB) { Values(t, a, []int{2, 2}, 1, 2, 3, 5) }))
		require.False(t, fails(t, func(t testing.TB) { Values(t, torch.Full(nil, 3, torch.Int64, torch.CPU), nil, 3) }))
	})
}
