package checkpoint_test

import (
	"errors"
	"io"
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

func TestWriteFileIsWholeOrNotAtAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	text := func(s string, err error) func(io.Writer) error {
		return func(w io.Writer) error {
			_, _ = io.WriteString(w, s)
			return err
		}
	}
	require.NoError(t, checkpoint.WriteFile(path, text("old", nil)))
	requireOnly(t, path, "old")
	full := errors.New("disk full")
	require.ErrorIs(t, checkpoint.WriteFile(path, text("new", full)), full)
	requireOnly(t, path, "old")
	require.Panics(t, func() {
		_ = checkpoint.WriteFile(path, func(w io.Writer) error {
			_, _ = w.Write(make([]byte, 2<<20)) // more than is buffered
			panic("half way")
		})
	})
	requireOnly(t, path, "old")
	require.NoError(t, checkpoint.WriteFile(path, func(w io.Writer) error {
		requireText(t, path, "old") // until everything is written
		return text("new", nil)(w)
	}))
	requireOnly(t, path, "new")
}

func requireText(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want, string(got))
}

func TestWriteFileErrors(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	nothing := func(io.Writer) error { return nil }
	require.Error(t, checkpoint.WriteFile(filepath.Join(file, "below"), nothing), "a file is no folder")
	require.NoError(t, os.Mkdir(filepath.Join(folder, "taken"), 0o755))
	require.Error(t, checkpoint.WriteFile(filepath.Join(folder, "taken"), nothing))
	left, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, left, 2)
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
