package disk_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"espalier/torch/disk"
)

// A link that leads nowhere is no missing file, also where it is a folder on the way.
func TestStatTellsBrokenLinks(t *testing.T) {
	folder := t.TempDir()
	at := func(name string) string { return filepath.Join(folder, name) }
	require.NoError(t, os.WriteFile(at("file"), nil, 0o600))
	require.NoError(t, os.Symlink("file", at("good")))
	require.NoError(t, os.Symlink(".", at("here")))
	require.NoError(t, os.Symlink("gone", at("broken")))

	for _, name := range []string{"file", "good", "here/good"} {
		_, err := disk.Stat(at(name))
		assert.NoError(t, err, name)
	}
	for _, name := range []string{"none", "none/below", "here/none", "here/none/below"} {
		_, err := disk.Stat(at(name))
		assert.ErrorIs(t, err, fs.ErrNotExist, name)
	}
	for _, name := range []string{"broken", "broken/below/deeper"} {
		_, err := disk.Stat(at(name))
		assert.ErrorContains(t, err, at("broken")+": the link leads to gone, which is not there")
		assert.NotErrorIs(t, err, fs.ErrNotExist)
		_, _, err = disk.Open(at(name))
		assert.ErrorContains(t, err, "the link leads to gone")
		assert.EqualError(t, disk.MkdirAll(at(name)), "mkdir "+at("broken")+": the link leads to gone, which is not there")
	}
}

// Reading a pipe would wait for its writer.
func TestReadTakesFilesAlone(t *testing.T) {
	folder := t.TempDir()
	file, pipe := filepath.Join(folder, "file"), filepath.Join(folder, "pipe")
	require.NoError(t, os.WriteFile(file, []byte("text"), 0o600))
	require.NoError(t, unix.Mkfifo(pipe, 0o600))
	text, err := disk.Read(file)
	require.NoError(t, err)
	assert.Equal(t, "text", string(text))
	_, err = disk.Read(pipe)
	assert.ErrorContains(t, err, pipe+": it is a pipe, not a regular file")
	_, err = disk.Read(filepath.Join(folder, "none"))
	assert.ErrorIs(t, err, fs.ErrNotExist)
}
