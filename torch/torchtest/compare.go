package torchtest

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/checkpoint"
)

// tolerances are shares of a tensor's largest value: about ten times what rounding in the dtype leaves of a few operations.
var tolerances = map[torch.DType]float64{
	torch.Float64: 1e-12, torch.Float32: 1e-5, torch.Float16: 1e-2, torch.BFloat16: 5e-2,
}

// Alike is how far two routes of ours through the same computation may lie from each other in float64, as a share of the
// largest value: hundreds of operations, whose order of additions differs between routes and CPUs.
const Alike = 1e-9

// Multiple is how many times as far from the truth in float64 we may lie in float32 or less as another program does at its
// worst. Over all fixtures and four settings of the CPU's instructions it was 2.4.
const Multiple = 8

// Tolerance is how far results in a dtype may lie from what is expected, as a share of the tensor's largest value.
// Whole numbers and truth values must be equal.
func Tolerance(d torch.DType) float64 { return tolerances[d] }

// Close fails the test unless got has the shape of want and its elements are as close as got's dtype allows.
func Close(t testing.TB, want, got *torch.Tensor, message ...any) {
	t.Helper()
	require.NotNil(t, got, message...)
	Within(t, want, got, Tolerance(got.DType()), 0, message...)
}

// Within fails the test unless got has the shape of want and every |Δ| ≤ max(tolerance · largest |want|, floor).
func Within(t testing.TB, want, got *torch.Tensor, tolerance, floor float64, message ...any) {
	t.Helper()
	require.NotNil(t, want, message...)
	require.NotNil(t, got, message...)
	require.Equal(t, want.Shape(), got.Shape(), message...)
	compare(t, want.Floats(), got.Floats(), tolerance, floor, message...)
}

// Same fails the test unless two routes of ours, both in float64, give the same.
func Same(t testing.TB, want, got *torch.Tensor, message ...any) {
	t.Helper()
	require.NotNil(t, got, message...)
	require.Equal(t, torch.Float64, got.DType(), message...)
	Within(t, want, got, Alike, 0, message...)
}

// Values fails the test unless got has the shape and, as close as its dtype allows, the values in row-major order.
func Values(t testing.TB, got *torch.Tensor, shape []int, want ...float64) {
	t.Helper()
	require.NotNil(t, got)
	require.Equal(t, append([]int{}, shape...), got.Shape())
	compare(t, want, got.Floats(), Tolerance(got.DType()), 0)
}

func compare(t testing.TB, want, got []float64, tolerance, floor float64, message ...any) {
	t.Helper()
	require.Len(t, got, len(want), message...)
	if fault := difference(want, got, tolerance, floor); fault != "" {
		require.Fail(t, fault, message...)
	}
}

// difference says where got is too far from want, or "".
func difference(want, got []float64, tolerance, floor float64) string {
	largest := 0.
	for _, w := range want {
		if a := math.Abs(w); a > largest && !math.IsInf(a, 0) {
			largest = a
		}
	}
	allowed, worst, at := max(tolerance*largest, floor), 0., -1
	for i, w := range want {
		d := math.Abs(got[i] - w)
		switch {
		case got[i] == w || math.IsNaN(got[i]) && math.IsNaN(w):
			continue
		case math.IsNaN(d):
			d = math.Inf(1)
		}
		if d > worst {
			worst, at = d, i
		}
	}
	if worst <= allowed {
		return ""
	}
	return fmt.Sprintf("element %d is %g, want %g: |Δ| %.3g, allowed %.3g (largest value %.3g)", at, got[at], want[at],
		worst, allowed, largest)
}

// Golden reads a safetensors file of expected values to the CPU. The test frees them, by a scope or by letting go of them.
func Golden(t testing.TB, path string) map[string]*torch.Tensor {
	t.Helper()
	tensors, err := checkpoint.ReadSafeTensors(path, torch.CPU)
	require.NoError(t, err)
	return tensors
}
