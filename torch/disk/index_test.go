package disk_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"espalier/torch/disk"
)

func sumOf(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])
}

// later is a clock by which all that the test writes is old.
func later() time.Time { return time.Now().Add(time.Hour) }

// plant puts another sum into a saved index, so that a test sees whether the index or the file gave the answer.
func plant(t *testing.T, index, is, becomes string) {
	t.Helper()
	text, err := os.ReadFile(index)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(index, disk.Resealed(text, sumOf(is), sumOf(becomes)), 0o600))
}

func TestSum(t *testing.T) {
	folder := t.TempDir()
	file, link, pipe := filepath.Join(folder, "f"), filepath.Join(folder, "link"), filepath.Join(folder, "pipe")
	require.NoError(t, os.WriteFile(file, []byte("abc"), 0o600))
	require.NoError(t, os.Symlink("f", link))
	require.NoError(t, unix.Mkfifo(pipe, 0o600))
	for _, path := range []string{file, link} {
		sum, size, err := disk.Sum(path)
		require.NoError(t, err)
		assert.Equal(t, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", sum, "of FIPS 180-2")
		assert.EqualValues(t, 3, size)
	}
	for path, want := range map[string]string{pipe: "it is a pipe, not a regular file", folder: "it is a folder", "/dev/zero": "it is a device"} {
		_, _, err := disk.Sum(path)
		assert.ErrorContains(t, err, "open "+path+": "+want)
	}
	_, _, err := disk.Sum(filepath.Join(folder, "none"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestAnUnchangedFileIsNotReadAgain(t *testing.T) {
	defer disk.SetNow(later)()
	folder := t.TempDir()
	file, index := filepath.Join(folder, "a \"b\"\nc"), filepath.Join(folder, "index")
	require.NoError(t, os.WriteFile(file, []byte("abc"), 0o600))
	x := disk.OpenIndex(index)
	sum, err := x.Sum(file)
	require.NoError(t, err)
	assert.Equal(t, sumOf("abc"), sum)
	require.NoError(t, x.Save())
	plant(t, index, "abc", "planted")
	sum, err = disk.OpenIndex(index).Sum(file)
	require.NoError(t, err)
	assert.Equal(t, sumOf("planted"), sum)
}

// An edit that keeps the size and sets mtime back moves ctime; a file renamed over it has another inode.
func TestAnEditThatHides(t *testing.T) {
	defer disk.SetNow(later)()
	folder := t.TempDir()
	file, index := filepath.Join(folder, "f"), filepath.Join(folder, "index")
	require.NoError(t, os.WriteFile(file, []byte("abc"), 0o600))
	old := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(file, old, old))
	x := disk.OpenIndex(index)
	_, err := x.Sum(file)
	require.NoError(t, err)
	before, err := os.Stat(file)
	require.NoError(t, err)
	for { // until the file system's clock ticks; a program that edits within one tick is the next test's
		require.NoError(t, os.WriteFile(file, []byte("xyz"), 0o600))
		require.NoError(t, os.Chtimes(file, old, old))
		if disk.ChangeTime(t, file) != disk.ChangeTimeOf(before) {
			break
		}
	}
	for range 2 { // also when the index has been saved in between
		sum, err := x.Sum(file)
		require.NoError(t, err)
		assert.Equal(t, sumOf("xyz"), sum)
		require.NoError(t, x.Save())
		x = disk.OpenIndex(index)
	}
}

// A file that changed just now may change again within the same tick of the clock: its sum is not kept.
func TestAnEditWithinATick(t *testing.T) {
	for name, c := range map[string]struct {
		after time.Duration
		want  string
	}{"soon": {time.Second, "abc"}, "later": {time.Minute, "planted"}} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			file, other, index := filepath.Join(folder, "f"), filepath.Join(folder, "g"), filepath.Join(folder, "index")
			for path, text := range map[string]string{file: "abc", other: "other"} {
				require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
			}
			info, err := os.Stat(file)
			require.NoError(t, err)
			x := disk.OpenIndex(index)
			restore := disk.SetNow(func() time.Time { return info.ModTime().Add(c.after) })
			_, err = x.Sum(file)
			restore()
			require.NoError(t, err)
			restore = disk.SetNow(later)
			defer restore()
			_, err = x.Sum(other) // so that there is something to save
			require.NoError(t, err)
			require.NoError(t, x.Save())
			plant(t, index, "abc", "planted")
			sum, err := disk.OpenIndex(index).Sum(file)
			require.NoError(t, err)
			assert.Equal(t, sumOf(c.want), sum)
		})
	}
}

// Every cut and every flipped bit makes the index an empty one.
func TestADamagedIndexIsEmpty(t *testing.T) {
	defer disk.SetNow(later)()
	folder := t.TempDir()
	file, index := filepath.Join(folder, "f"), filepath.Join(folder, "index")
	require.NoError(t, os.WriteFile(file, []byte("abc"), 0o600))
	x := disk.OpenIndex(index)
	_, err := x.Sum(file)
	require.NoError(t, err)
	require.NoError(t, x.Save())
	plant(t, index, "abc", "planted")
	whole, err := os.ReadFile(index)
	require.NoError(t, err)
	check := func(text []byte) {
		require.NoError(t, os.WriteFile(index, text, 0o600))
		sum, err := disk.OpenIndex(index).Sum(file)
		require.NoError(t, err)
		assert.Equal(t, sumOf("abc"), sum)
	}
	for at := range whole {
		check(whole[:at])
		damaged := append([]byte(nil), whole...)
		damaged[at] ^= 1
		check(damaged)
	}
}

func TestAFullIndexDropsWhatNobodyAsksFor(t *testing.T) {
	defer disk.SetNow(later)()
	defer disk.SetMaxEntries(2)()
	folder := t.TempDir()
	index := filepath.Join(folder, "index")
	sum := func(x *disk.Index, name string) {
		path := filepath.Join(folder, name)
		if _, err := os.Stat(path); err != nil {
			require.NoError(t, os.WriteFile(path, []byte(name), 0o600))
		}
		_, err := x.Sum(path)
		require.NoError(t, err)
	}
	x := disk.OpenIndex(index)
	sum(x, "a")
	sum(x, "b")
	require.NoError(t, x.Save())
	x = disk.OpenIndex(index)
	sum(x, "b")
	sum(x, "c")
	require.NoError(t, x.Save())
	text, err := os.ReadFile(index)
	require.NoError(t, err)
	assert.NotContains(t, string(text), sumOf("a"))
	assert.Contains(t, string(text), sumOf("b"))
	assert.Contains(t, string(text), sumOf("c"))
}

func TestIndexOfManyGoroutines(t *testing.T) {
	defer disk.SetNow(later)()
	folder := t.TempDir()
	x := disk.OpenIndex(filepath.Join(folder, "index"))
	var all sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "d"} {
		path := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(path, []byte(path), 0o600))
	}
	for i := range 8 {
		path := filepath.Join(folder, string(rune('a'+i%4)))
		all.Go(func() {
			sum, err := x.Sum(path)
			assert.NoError(t, err)
			assert.Equal(t, sumOf(path), sum)
			assert.NoError(t, x.Save())
		})
	}
	all.Wait()
	_, err := x.Sum(filepath.Join(folder, "none"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}
