package modeltest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/torch"
	"espalier/torch/checkpoint"
	"espalier/torch/torchtest"
)

// Truth is what another program computes in float64, and how far it lies from that at most (|Δ|) in the dtype of the weights,
// mostly float32, where sums are rounded in several ways. The scripts in testdata and bench/parity make both.
type Truth struct {
	Values  map[string]*torch.Tensor
	Errors  map[string]float64
	largest float64 // of all values
}

// ReadTruth reads a file of a fixture's folder, and of its errors.json those of a kind.
func ReadTruth(t testing.TB, folder, file, kind string) Truth {
	t.Helper()
	var errors map[string]map[string]float64
	data, err := os.ReadFile(filepath.Join(folder, "errors.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &errors))
	return newTruth(t, readFile(t, filepath.Join(folder, file+".safetensors")), errors[kind])
}

func newTruth(t testing.TB, values map[string]*torch.Tensor, errors map[string]float64) Truth {
	require.NotEmpty(t, values)
	require.NotEmpty(t, errors)
	r := Truth{Values: values, Errors: errors}
	for _, v := range values {
		for _, x := range v.Floats() {
			r.largest = max(r.largest, x, -x)
		}
	}
	return r
}

// readFile reads tensors that are freed when the test ends.
func readFile(t testing.TB, path string) map[string]*torch.Tensor {
	t.Helper()
	values, err := checkpoint.ReadSafeTensors(path, torch.CPU)
	require.NoError(t, err)
	t.Cleanup(func() {
		for _, v := range values {
			v.Free()
		}
	})
	return values
}

// Check compares what we computed, in float64 or the dtype of the weights, with the value of a name.
func (r Truth) Check(t testing.TB, name string, got *torch.Tensor) {
	t.Helper()
	require.Contains(t, r.Values, name)
	r.check(t, name, r.Values[name], got)
}

// CheckPart compares a part along dimension 0.
func (r Truth) CheckPart(t testing.TB, name string, got *torch.Tensor, start, length int) {
	t.Helper()
	require.Contains(t, r.Values, name)
	require.NoError(t, torch.Run(func(*torch.Scope) error {
		r.check(t, name, r.Values[name].Narrow(0, start, length), got.Detach().Narrow(0, start, length))
		return nil
	}))
}

func (r Truth) check(t testing.TB, name string, want, got *torch.Tensor) {
	t.Helper()
	require.NotNil(t, got, name)
	if got.DType() == torch.Float64 { // the floor is for what is zero in truth, and rounding on both sides
		torchtest.Within(t, want, got, torchtest.Alike, torchtest.Tolerance(torch.Float64)*r.largest, name)
		return
	}
	require.Contains(t, r.Errors, name)
	torchtest.Within(t, want, got, 0, torchtest.Multiple*r.Errors[name], name)
}

// Sure fails the test unless the best logit of each choice leads the second by far more than float32's errors: by ten times
// what Check allows.
func (r Truth) Sure(t testing.TB, margins []float64) {
	t.Helper()
	require.NotEmpty(t, margins)
	require.Greater(t, slices.Min(margins), 10*torchtest.Multiple*r.Errors["logits"], "a choice is a near tie")
}

// InBoth runs a test of a network in float64 and in its own dtype.
func InBoth(t *testing.T, m model.Network, f func(t *testing.T, m *model.Blip2)) {
	t.Helper()
	t.Run("float64", func(t *testing.T) { f(t, Double(t, m)) })
	t.Run(m.Store().Params()[0].T().DType().String(), func(t *testing.T) { f(t, m.(*model.Blip2)) })
}

// Double is a network in float64, freed when the test ends.
func Double(t testing.TB, m model.Network) *model.Blip2 {
	t.Helper()
	n, err := model.Convert(m, torch.Float64, torch.CPU)
	require.NoError(t, err)
	t.Cleanup(n.Store().Free)
	return n.(*model.Blip2)
}
