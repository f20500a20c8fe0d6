package espalier

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every Go file of the rooms below cmd/, and every file that one of them embeds, is among the sources that are hashed.
func TestSourcesAreAllThere(t *testing.T) {
	for _, room := range []string{"distillation", "model", "pipeline", "pruning", "torch"} {
		require.NoError(t, filepath.WalkDir(room, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || strings.Contains(path, "testdata") || strings.HasSuffix(path, "_test.go") || !strings.HasSuffix(path, ".go") {
				return err
			}
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			embedded, err := sources.ReadFile(path)
			if assert.NoError(t, err, "add its folder to the patterns in sources.go") {
				assert.Equal(t, string(text), string(embedded))
			}
			for line := range strings.Lines(string(text)) {
				if files, ok := strings.CutPrefix(line, "//go:embed "); ok {
					for _, file := range strings.Fields(files) {
						_, err := sources.ReadFile(filepath.Join(filepath.Dir(path), file))
						assert.NoError(t, err, "%s embeds %s: add it to the patterns in sources.go", path, file)
					}
				}
			}
			return nil
		}))
	}
	assert.Len(t, Sources(), 64)
}
