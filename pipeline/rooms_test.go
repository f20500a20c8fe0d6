package pipeline

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// downwards are the rooms within pipeline/: each may import those behind it alone.
var downwards = []string{"pipeline", "stage", "teacher", "needs", "measure", "network", "corpus", "data", "chain", "config", "event", "report", "fault", "process", "random"}

// Imports within pipeline/ point one way.
func TestRooms(t *testing.T) {
	require.NoError(t, filepath.WalkDir(".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		room := filepath.Dir(path)
		if room == "." {
			room = "pipeline"
		}
		place := slices.Index(downwards, room)
		require.GreaterOrEqual(t, place, 0, "%s is no room that downwards knows", room)
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, i := range file.Imports {
			if to, ok := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), "espalier/pipeline/"); ok {
				assert.Greater(t, slices.Index(downwards, to), place, "%s imports %s", path, to)
			}
		}
		return nil
	}))
}
