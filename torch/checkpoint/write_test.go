package checkpoint_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/checkpoint"
	"espalier/torch/torchtest"
)

// requireOnly fails unless the folder holds one file with the content: no leftovers of a writer that failed.
func requireOnly(t *testing.T, path, content string) {
	t.Helper()
	files, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, files, 1)
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, content, string(got))
}

func TestWriteSafeTensorsErrors(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		x := torch.Ones([]int{1}, torch.Float32, torch.CPU)
		path := filepath.Join(t.TempDir(), "x")
		require.NoError(t, checkpoint.WriteSafeTensors(path, map[string]*torch.Tensor{"x": x}, nil))
		old, err := os.ReadFile(path)
		require.NoError(t, err)
		freed := x.Clone()
		freed.Free()
		for message, tensors := range map[string]map[string]*torch.Tensor{
			"was freed":             {"x": x, "y": freed},
			"is nil":                {"x": x, "y": nil},
			`tensor "__metadata__"`: {"__metadata__": x},
		} {
			err := checkpoint.WriteSafeTensors(path, tensors, nil)
			require.ErrorContains(t, err, message)
			require.ErrorContains(t, err, path)
			requireOnly(t, path, string(old))
		}
		require.NoError(t, checkpoint.WriteSafeTensors(path, nil, nil))
		none, err := checkpoint.ReadSafeTensors(path, torch.CPU)
		require.NoError(t, err)
		require.Empty(t, none)
	})
}
