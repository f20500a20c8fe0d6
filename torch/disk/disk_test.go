package disk_test

import (
	"errors"
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

// content is large enough for several writes.
func content(text string) []byte { return []byte(strings.Repeat(text, 3<<20)) }

// tree is what is in a folder: paths and contents, folders with a slash behind.
func tree(t *testing.T, folder string) map[string]string {
	t.Helper()
	found := map[string]string{}
	require.NoError(t, filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		name, _ := filepath.Rel(folder, path)
		if err != nil || path == folder {
			return err
		}
		if entry.IsDir() {
			found[name+"/"] = ""
			return nil
		}
		data, err := os.ReadFile(path)
		found[name] = string(data)
		return err
	}))
	return found
}

// A change takes a folder from one state to another, and is to do all of that or nothing.
type change struct {
	before, after map[string]string
	do            func(folder string) error
}

var (
	short   = string(content("o"))
	long    = string(content("n"))
	changes = map[string]change{
		"Write a first file":     {map[string]string{}, map[string]string{"f": long}, func(d string) error { return disk.Write(filepath.Join(d, "f"), content("n")) }},
		"Write over a file":      {map[string]string{"f": short}, map[string]string{"f": long}, func(d string) error { return disk.Write(filepath.Join(d, "f"), content("n")) }},
		"WriteNamed over a file": {map[string]string{"f": short}, map[string]string{"f": "new"}, func(d string) error { return disk.WriteNamed(filepath.Join(d, "f"), plainly("new")) }},
		"Create and Commit":      {map[string]string{"f": short}, map[string]string{"f": "new"}, func(d string) error { return streamed(filepath.Join(d, "f")) }},
		"Copy":                   {map[string]string{"f": short, "g": "g"}, map[string]string{"f": "g", "g": "g"}, func(d string) error { return disk.Copy(filepath.Join(d, "g"), filepath.Join(d, "f")) }},
		"Rename":                 {map[string]string{"f": "old", "g": "new"}, map[string]string{"f": "new"}, func(d string) error { return disk.Rename(filepath.Join(d, "g"), filepath.Join(d, "f")) }},
		"RemoveAll":              {map[string]string{"m/": "", "m/f": "1", "m/g": "2"}, map[string]string{}, func(d string) error { return disk.RemoveAll(filepath.Join(d, "m")) }},
		"CopyFolder": {map[string]string{"m/": "", "m/f": "1", "m/below/": "", "m/below/g": "2", "m/not": "3"},
			map[string]string{"m/": "", "m/f": "1", "m/below/": "", "m/below/g": "2", "m/not": "3", "n/": "", "n/f": "1", "n/below/": "", "n/below/g": "2"},
			func(d string) error {
				return disk.ReplaceFolder(filepath.Join(d, "n"), func(tmp string) error { return disk.CopyFolder(filepath.Join(d, "m"), tmp, "not") })
			}},
		"Carry": {map[string]string{"m/": "", "m/f": "old", "m/own/": "", "m/own/empty/": "", "m/own/g": "kept"},
			map[string]string{"m/": "", "m/f": "new", "m/below/": "", "m/below/g": "new", "m/own/": "", "m/own/empty/": "", "m/own/g": "kept"},
			func(d string) error {
				return disk.ReplaceFolder(filepath.Join(d, "m"), func(tmp string) error {
					return errors.Join(filled(tmp), disk.Carry(filepath.Join(d, "m"), tmp, func(name string) bool { return name != "f" }))
				})
			}},
		"Link": {map[string]string{"f": "1", "g": "2"}, map[string]string{"f": "2", "g": "2"}, func(d string) error { return disk.Link(filepath.Join(d, "g"), filepath.Join(d, "f")) }},
		"a first folder": {map[string]string{}, map[string]string{"m/": "", "m/f": "new", "m/below/": "", "m/below/g": "new"},
			func(d string) error { return disk.ReplaceFolder(filepath.Join(d, "m"), filled) }},
		"ReplaceFolder": {map[string]string{"m/": "", "m/f": "old", "m/other": "old"}, map[string]string{"m/": "", "m/f": "new", "m/below/": "", "m/below/g": "new"},
			func(d string) error { return disk.ReplaceFolder(filepath.Join(d, "m"), filled) }},
		"ReplaceFolder without exchange": {map[string]string{"m/": "", "m/f": "old", "m/other": "old"}, map[string]string{"m/": "", "m/f": "new", "m/below/": "", "m/below/g": "new"},
			func(d string) error {
				defer disk.WithoutExchange()()
				return disk.ReplaceFolder(filepath.Join(d, "m"), filled)
			}},
	}
)

func filled(tmp string) error {
	return errors.Join(disk.Write(filepath.Join(tmp, "f"), []byte("new")), disk.Write(filepath.Join(tmp, "below", "g"), []byte("new")))
}

// streamed writes as who keeps a file open for long does, and leaves the cleaning to Commit.
func streamed(path string) error {
	f, err := disk.Create(path)
	if err != nil {
		return err
	}
	if _, err := f.Write([]byte("ne")); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		f.Abort()
		return err
	}
	if _, err := f.Write([]byte("w")); err != nil {
		return err
	}
	return f.Commit()
}

// plainly writes a file without this package, as a library of others does.
func plainly(text string) func(string) error {
	return func(path string) error { return os.WriteFile(path, []byte(text), 0o644) }
}

func (c change) prepare(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	for name, text := range c.before {
		if strings.HasSuffix(name, "/") {
			require.NoError(t, os.MkdirAll(filepath.Join(folder, name), 0o755))
		} else {
			require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(folder, name)), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644))
		}
	}
	return folder
}

// interceptAt makes the n-th operation, counted from 1, do what at does; count is how many were asked.
func interceptAt(n int, at func(op disk.Op, path string) error) (count *int, restore func()) {
	count = new(int)
	return count, disk.Intercept(func(op disk.Op, path string) error {
		if *count++; *count == n {
			return at(op, path)
		}
		return nil
	})
}

func TestEachChangeEndsAsItSays(t *testing.T) {
	for name, c := range changes {
		t.Run(name, func(t *testing.T) {
			folder := c.prepare(t)
			unsynced := map[string]bool{} // folders in which a name has changed since they were synced
			defer disk.Intercept(func(op disk.Op, path string) error {
				switch op {
				case disk.OpRename:
					unsynced[filepath.Dir(path)] = true
				case disk.OpSync:
					delete(unsynced, path)
				}
				return nil
			})()
			require.NoError(t, c.do(folder))
			assert.Equal(t, c.after, tree(t, folder))
			assert.Empty(t, unsynced)
		})
	}
}

// A fault of the disk at any one operation leaves the old content or the new one. An error that names the operation and the path
// comes with it, except where only something under a temporary name could not be removed.
func TestAFaultAtAnyOperation(t *testing.T) {
	for name, c := range changes {
		t.Run(name, func(t *testing.T) {
			for n := 1; ; n++ {
				folder := c.prepare(t)
				var what disk.Op
				var where string
				count, restore := interceptAt(n, func(op disk.Op, path string) error {
					what, where = op, path
					return unix.ENOSPC
				})
				err := c.do(folder)
				restore()
				if *count < n {
					require.NoError(t, err)
					require.Greater(t, n, 2, "operations are counted")
					return
				}
				if err == nil {
					require.Equal(t, disk.OpRemove, what, "a fault of %v %s is told", what, where)
				} else {
					require.ErrorIs(t, err, unix.ENOSPC)
					assert.ErrorContains(t, err, what.String()+" "+where)
				}
				if what == disk.OpRemove {
					require.NoError(t, disk.Sweep(folder))
				}
				found := tree(t, folder)
				if !assert.Condition(t, func() bool { return assert.ObjectsAreEqual(c.before, found) || assert.ObjectsAreEqual(c.after, found) }) {
					t.Fatalf("after a fault of %v %s: %v", what, where, keys(found))
				}
			}
		})
	}
}

func keys(m map[string]string) (names []string) {
	for name := range m {
		names = append(names, name)
	}
	return names
}

// Each file is synced before its rename, and the folder after it. A folder loses its name before its content.
func TestOrderOfOperations(t *testing.T) {
	folder := t.TempDir()
	var log []string
	defer disk.Intercept(func(op disk.Op, path string) error {
		name, _ := filepath.Rel(folder, path)
		log = append(log, op.String()+" "+name)
		return nil
	})()
	require.NoError(t, disk.Write(filepath.Join(folder, "a", "f"), []byte("x")))
	assert.Equal(t, []string{"mkdir a", "sync .", "create a/f", "write a/f", "sync a/f", "rename a/f", "sync a"}, log)
	log = nil
	require.NoError(t, disk.RemoveAll(filepath.Join(folder, "a")))
	assert.Equal(t, []string{"rename a", "remove a", "sync ."}, log)
	require.NoError(t, disk.RemoveAll(filepath.Join(folder, "a")), "there is nothing")
}

// A Sweep of another process while a folder is out of its place does not put it back.
func TestASweepWhileFoldersChangePlaces(t *testing.T) {
	c := changes["ReplaceFolder without exchange"]
	folder := c.prepare(t)
	defer disk.Intercept(func(op disk.Op, path string) error {
		if op == disk.OpRename && path == filepath.Join(folder, "m") {
			return disk.Sweep(folder)
		}
		return nil
	})()
	require.NoError(t, c.do(folder))
	assert.Equal(t, c.after, tree(t, folder))
}
