package propose

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/fault"
)

// Weights without a config.json are told with the command that makes a checkpoint of them.
func TestLooseWeights(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weights.safetensors")
	for tensor, want := range map[string]string{
		"opt_proj.weight":            "holds weights under LAVIS's names, and a run needs a folder with config.json",
		"llama_proj.weight":          "model convert -names minigpt4 -config config.json -out my-teacher " + path,
		"language_projection.weight": "holds tensors (1), and there is no config.json, which says what network they are",
	} {
		header := fmt.Sprintf(`{%q: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}`, tensor)
		file := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
		require.NoError(t, os.WriteFile(path, append(append(file, header...), 0, 0, 0, 0), 0o644))
		_, err := OpenModel(path)
		assert.ErrorContains(t, err, want)
		assert.ErrorAs(t, err, new(*fault.InputError))
	}
}

// A proposal never goes on in another run's folder.
func TestFolders(t *testing.T) {
	t.Chdir(t.TempDir())
	assert.Equal(t, "runs/digits", FolderFor("", "examples/digits/data"))
	assert.Equal(t, "runs/icons", FolderFor("", "some/icons.csv"))
	assert.Equal(t, "runs/mine", FolderFor("", "data"))
	assert.Equal(t, "runs/small", FolderFor("small", "data"))
	require.NoError(t, os.MkdirAll("runs/digits", 0o755))
	require.NoError(t, os.MkdirAll("runs/digits-2", 0o755))
	assert.Equal(t, "runs/digits-3", FolderFor("", "examples/digits/data/"))
}
