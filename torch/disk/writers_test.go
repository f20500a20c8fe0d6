package disk_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Nothing but this package writes files: what it promises would not hold for them. (Folders for temporary work are no results.)
func TestNothingElseWritesFiles(t *testing.T) {
	writes := regexp.MustCompile(`os\.(WriteFile|Create|CreateTemp|Rename|OpenFile|Truncate)\(`)
	root := filepath.Join("..", "..")
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		name := filepath.ToSlash(path)
		switch {
		case err != nil:
			return err
		case entry.IsDir() && strings.HasSuffix(entry.Name(), "test"): // packages that write what tests read
			return fs.SkipDir
		case entry.IsDir() && (entry.Name() == "build" || entry.Name() == "testdata" || path == filepath.Join(root, "torch", "disk") || path != root && strings.HasPrefix(entry.Name(), ".")):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		assert.Empty(t, writes.FindAllString(string(text), -1), "%s: write through torch/disk", name)
		return err
	}))
}
