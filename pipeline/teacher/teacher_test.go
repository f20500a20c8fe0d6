package teacher

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/torch/disk"
)

// A checkpoint's print follows its files, through links too, and not what stands beside them.
func TestPrintOfACheckpoint(t *testing.T) {
	folder, blob := t.TempDir(), filepath.Join(t.TempDir(), "blob")
	write := func(path, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	of := func() any {
		p, err := print(folder, func(path string) (string, error) {
			sum, _, err := disk.Sum(path)
			return sum, err
		}, nil)
		require.NoError(t, err)
		return p
	}
	write(blob, "weights")
	write(filepath.Join(folder, "config.json"), "{}")
	require.NoError(t, os.Symlink(blob, filepath.Join(folder, "model.safetensors")))
	base := of()
	write(filepath.Join(folder, ".git", "index"), "x")
	write(filepath.Join(folder, ".gitattributes"), "x")
	write(filepath.Join(folder, "run", "report.json"), "x")
	assert.Equal(t, base, of())
	for path, text := range map[string]string{
		blob: "others", filepath.Join(folder, "config.json"): "{ }", filepath.Join(folder, "tokenizer.json"): "{}",
		filepath.Join(folder, "qformer_tokenizer", "tokenizer.json"): "{}",
	} {
		write(path, text)
		next := of()
		assert.NotEqual(t, base, next, path)
		base = next
	}
	_, err := print(filepath.Join(folder, "nowhere"), nil, nil)
	assert.Error(t, err)
}
