package checkpoint_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"espalier/torch/checkpoint"
)

// Only regular files are opened, also within a folder: opening a pipe would wait for its writer.
func TestCheckpointsAreRegularFiles(t *testing.T) {
	for _, name := range []string{"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"} {
		folder := t.TempDir()
		path := filepath.Join(folder, name)
		require.NoError(t, unix.Mkfifo(path, 0o600))
		for _, at := range []string{path, folder} {
			_, err := checkpoint.Open(at, "")
			require.ErrorContains(t, err, path)
			require.ErrorContains(t, err, "it is a pipe, not a regular file")
		}
		_, err := checkpoint.OpenSafeTensors(path)
		require.ErrorContains(t, err, "it is a pipe")

		require.NoError(t, os.Remove(path))
		require.NoError(t, os.Symlink("gone", path))
		_, err = checkpoint.Open(folder, "")
		require.ErrorContains(t, err, path+": the link leads to gone, which is not there", "and no other file is taken instead")
	}
}
