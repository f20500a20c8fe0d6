package torch_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

// An operation's case: what it gives for operands that fit on a line, worked out by hand.
type opCase struct {
	name  string
	got   *torch.Tensor
	dtype torch.DType
	shape []int
	want  []float64
}

func checkOps(t *testing.T, on torch.Device, cases []opCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.dtype, c.got.DType())
			require.Equal(t, on, c.got.Device())
			torchtest.Values(t, c.got, c.shape, c.want...)
		})
	}
}

// floats is a float32 tensor.
func floats(on torch.Device, shape []int, values ...float32) *torch.Tensor {
	return torch.From(values, on, shape...)
}

func list(values ...float64) []float64 { return values }

const (
	f32 = torch.Float32
	i64 = torch.Int64
	yes = torch.Bool
)

// Every operation in the source must be in a test: one without would not be missed otherwise.
func TestEveryOperationIsTested(t *testing.T) {
	sources, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var tests strings.Builder
	var names []string
	for _, path := range sources {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		if strings.HasSuffix(path, "_test.go") {
			tests.Write(text)
			continue
		}
		for line := range strings.SplitSeq(string(text), "\n") {
			if rest, ok := strings.CutPrefix(line, "func (t *Tensor) "); ok {
				names = append(names, rest[:strings.IndexByte(rest, '(')])
			}
		}
	}
	require.Greater(t, len(names), 80)
	for _, n := range names {
		if n[0] >= 'A' && n[0] <= 'Z' {
			require.True(t, strings.Contains(tests.String(), "."+n+"("), "no test calls Tensor.%s", n)
		}
	}
}
