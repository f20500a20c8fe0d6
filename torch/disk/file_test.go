package disk_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"espalier/torch/disk"
)

func TestAWriterThatFailsOrPanics(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "f")
	require.NoError(t, disk.Write(path, []byte("old")))
	broken := errors.New("broken")
	assert.ErrorIs(t, disk.WriteWith(path, func(w io.Writer) error { fmt.Fprint(w, "half"); return broken }), broken)
	assert.ErrorIs(t, disk.WriteNamed(path, func(tmp string) error { return errors.Join(plainly("half")(tmp), broken) }), broken)
	assert.ErrorIs(t, disk.ReplaceFolder(filepath.Join(folder, "m"), func(tmp string) error { return errors.Join(filled(tmp), broken) }), broken)
	assert.Panics(t, func() { _ = disk.WriteWith(path, func(w io.Writer) error { fmt.Fprint(w, "half"); panic("x") }) })
	assert.Panics(t, func() { _ = disk.ReplaceFolder(filepath.Join(folder, "m"), func(string) error { panic("x") }) })
	f, err := disk.Create(path)
	require.NoError(t, err)
	_, err = f.Write([]byte("half"))
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	f.Abort()
	f.Abort()
	assert.Equal(t, map[string]string{"f": "old"}, tree(t, folder))
}

// Whoever may read the folder may read its files; os.CreateTemp's files are their owner's alone.
func TestModes(t *testing.T) {
	before := unix.Umask(0o022)
	defer unix.Umask(before)
	folder := filepath.Join(t.TempDir(), "a", "b")
	require.NoError(t, disk.ReplaceFolder(folder, func(tmp string) error { return disk.Write(filepath.Join(tmp, "f"), nil) }))
	for path, want := range map[string]fs.FileMode{folder: 0o755, filepath.Dir(folder): 0o755, filepath.Join(folder, "f"): 0o644} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.Equal(t, want, info.Mode().Perm(), path)
	}
}

// A rename would put a file in the place of /dev/null.
func TestWhatIsNoFileIsNotReplaced(t *testing.T) {
	folder := t.TempDir()
	pipe, file := filepath.Join(folder, "pipe"), filepath.Join(folder, "file")
	require.NoError(t, unix.Mkfifo(pipe, 0o600))
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	assert.ErrorContains(t, disk.Write(pipe, nil), pipe+": it is there and is a pipe")
	assert.ErrorContains(t, disk.Write(folder, nil), "is a folder")
	assert.ErrorContains(t, disk.WriteNamed("/dev/null", plainly("")), "is a device")
	assert.ErrorContains(t, disk.ReplaceFolder(file, filled), "it is a file, not a folder")
	assert.ErrorContains(t, disk.Write(filepath.Join(file, "below"), nil), "mkdir "+file+": it is there and is a file, not a folder")
	assert.Equal(t, []string{"file", "pipe"}, listing(t, folder))
}

func listing(t *testing.T, folder string) (names []string) {
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// The link of a folder stays and leads to the new one.
func TestReplaceFolderThroughALink(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(folder, "real"), 0o755))
	link := filepath.Join(folder, "link")
	require.NoError(t, os.Symlink("real", link))
	require.NoError(t, disk.ReplaceFolder(link, filled))
	data, err := os.ReadFile(filepath.Join(folder, "real", "f"))
	require.NoError(t, err)
	assert.Equal(t, "new", string(data))
	assert.Equal(t, []string{"link", "real"}, listing(t, folder))
}

// A name of 255 bytes is the longest that file systems take.
func TestALongName(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("x", 255))
	require.NoError(t, disk.Write(path, []byte("x")))
	require.NoError(t, disk.Write(path, []byte("y")))
}
