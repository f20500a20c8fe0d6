package data

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// What is no regular file is refused by its name and never opened, in memory or beyond the budget.
func TestOnlyRegularFiles(t *testing.T) {
	for name, c := range map[string]struct {
		place func(path string) error
		want  string
	}{
		"pipe":        {func(path string) error { return unix.Mkfifo(path, 0o600) }, "it is a pipe, not a regular file"},
		"device":      {func(path string) error { return os.Symlink("/dev/zero", path) }, "it is a device, not a regular file"},
		"folder":      {func(path string) error { return os.Mkdir(path, 0o700) }, "folder"},
		"broken link": {func(path string) error { return os.Symlink("gone", path) }, "the link leads to gone, which is not there"},
	} {
		for _, file := range []string{"images/2.png", "train/metadata.jsonl", "validation/metadata.jsonl"} {
			for _, budget := range []int64{0, 1} {
				root := folder(t, small())
				path := filepath.Join(root, file)
				require.NoError(t, os.Remove(path))
				require.NoError(t, c.place(path))
				_, err := Open(Config{Root: root, Size: 2, MemoryBudget: budget})
				require.ErrorContains(t, err, c.want, "%s: %s", name, file)
				assert.ErrorContains(t, err, filepath.Base(file))
				assert.NotContains(t, err.Error(), "\n")
			}
		}
	}
	root := folder(t, small())
	require.NoError(t, os.Rename(filepath.Join(root, "validation"), filepath.Join(root, "elsewhere")))
	require.NoError(t, os.Symlink("gone", filepath.Join(root, "validation")))
	_, err := Open(Config{Root: root, Size: 2})
	require.ErrorContains(t, err, "the link leads to gone", "a split that is linked is not missing")
}

// A row without end costs no screen of text.
func TestLongRows(t *testing.T) {
	long := strings.Repeat("x", 600_000)
	for name, c := range map[string]struct{ text, want string }{
		"line":   {line("4.png", long+long, "four"), ":1: the row has "},
		"answer": {`{"file_name": "4.png", "question": "which", "answer": {"` + long + `": 1}}`, `:1: "answer" must be a text or a list of texts`},
		"name":   {line(long, "which", "four"), ":1: "},
		"keys":   {`{"` + long + `": 1}`, ":1: no "},
	} {
		_, err := Open(Config{Root: folder(t, with(map[string]string{"test/metadata.jsonl": c.text})), Size: 2})
		require.ErrorContains(t, err, "metadata.jsonl"+c.want, name)
		assert.Less(t, len(err.Error()), 2000, name)
	}
}
