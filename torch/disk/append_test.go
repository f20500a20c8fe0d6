package disk_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"espalier/torch/disk"
)

// Work goes on behind what is known to be whole; what an interrupted attempt wrote after it goes.
func TestAppendGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows")
	add := func(size int64, text string) {
		f, err := disk.Append(path, size)
		require.NoError(t, err)
		_, err = f.Write([]byte(text))
		require.NoError(t, err)
		require.NoError(t, f.Sync())
		require.NoError(t, f.Close())
	}
	add(0, "whole, torn")
	add(6, " and more")
	add(0, "again")
	add(5, "")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "again", string(text))
	add(5, ", whole, torn")
	add(12, " and more")
	text, err = os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "again, whole and more", string(text))
}

func TestAppendTellsFaults(t *testing.T) {
	folder := t.TempDir()
	path, pipe := filepath.Join(folder, "rows"), filepath.Join(folder, "pipe")
	require.NoError(t, unix.Mkfifo(pipe, 0o600))
	_, err := disk.Append(pipe, 0)
	assert.EqualError(t, err, "create "+pipe+": it is there and is a pipe; name a file")
	for n, want := range []string{"create " + path, "sync " + folder, "write " + path, "sync " + path} {
		require.NoError(t, disk.RemoveAll(path))
		_, restore := interceptAt(n+1, func(disk.Op, string) error { return unix.ENOSPC })
		f, err := disk.Append(path, 0)
		if err == nil {
			_, err = f.Write([]byte("x"))
			if err == nil {
				err = f.Sync()
			}
			require.NoError(t, f.Close())
		}
		restore()
		var failed *disk.Error
		require.ErrorAs(t, err, &failed)
		assert.ErrorIs(t, err, unix.ENOSPC)
		assert.ErrorContains(t, err, want)
	}
}

// What cannot be read is no fault of writing: a store that cannot be written is left for another one.
func TestErrorIsOfWriting(t *testing.T) {
	folder := t.TempDir()
	var failed *disk.Error
	_, _, err := disk.Sum(folder)
	require.Error(t, err)
	assert.NotErrorAs(t, err, &failed)
	err = disk.Copy(folder, filepath.Join(folder, "f"))
	require.Error(t, err)
	assert.NotErrorAs(t, err, &failed)
	assert.ErrorAs(t, disk.Write(folder, nil), &failed)
}
