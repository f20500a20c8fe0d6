package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// MkdirAll makes a folder and those above it, and puts them on the disk.
func MkdirAll(folder string) error {
	folder = filepath.Clean(folder)
	if info, err := os.Stat(folder); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(folder)
	if parent != folder {
		if err := MkdirAll(parent); err != nil {
			return err
		}
	}
	err := do(OpMkdir, folder, func() error {
		err := os.Mkdir(folder, 0o755)
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
		switch info, err := Stat(folder); {
		case err != nil:
			return err
		case !info.IsDir():
			return errors.New("it is there and is " + kind(info.Mode()) + ", not a folder")
		}
		return nil // another process was faster
	})
	if err != nil {
		return err
	}
	return syncPath(parent, parent)
}

// Rename moves a file or folder within a file system; a file takes the place of the file at to.
func Rename(from, to string) error {
	from, to = filepath.Clean(from), filepath.Clean(to)
	if err := rename(from, to); err != nil {
		return err
	}
	if filepath.Dir(from) == filepath.Dir(to) {
		return nil
	}
	return syncPath(filepath.Dir(from), filepath.Dir(from))
}

// rename puts what stands at from, under a temporary name, in its place.
func rename(from, to string) error {
	if err := do(OpRename, to, func() error { return os.Rename(from, to) }); err != nil {
		return err
	}
	return syncPath(filepath.Dir(to), filepath.Dir(to))
}

// RemoveAll removes a file, or a folder with all that is in it; a path with nothing there is no error. A folder gets a temporary name
// first, so that a kill leaves all of it at path or nothing.
func RemoveAll(path string) error {
	path = filepath.Clean(path)
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	gone := path
	if info.IsDir() {
		gone = newName(path, endWritten)
		if err := do(OpRename, path, func() error { return os.Rename(path, gone) }); err != nil {
			return err
		}
	}
	if err := do(OpRemove, path, func() error { return os.RemoveAll(gone) }); err != nil {
		return err
	}
	return syncPath(filepath.Dir(path), filepath.Dir(path))
}

// ReplaceFolder calls fill with an empty folder beside path and puts it, synced, in the place of the folder at path, if there
// is one. When fill or the disk fails, or fill panics, path is as before. A kill leaves the old folder or the new one. (Where
// the file system cannot exchange two names, there is an instant in which path has neither; Sweep then puts the old one back.)
func ReplaceFolder(path string, fill func(tmp string) error) error {
	path = filepath.Clean(path)
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // a link stays, and leads to the new folder
	}
	if info, err := os.Lstat(path); err == nil && !info.IsDir() {
		return failed("replace", path, errors.New("it is "+kind(info.Mode())+", not a folder"))
	}
	folder, err := besideFolder(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	tmp := folder.Name()
	defer discard(tmp) // after the exchange this is the old folder
	if err := fill(tmp); err != nil {
		return err
	}
	if err := syncAll(tmp); err != nil {
		return err
	}
	if err := swap(tmp, path); err != nil {
		return err
	}
	return syncPath(filepath.Dir(path), filepath.Dir(path))
}

// exchange is a variable so that a test can do without it, as some file systems do.
var exchange = func(a, b string) error {
	return unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
}

func swap(tmp, path string) error {
	var kept error
	err := do(OpRename, path, func() error {
		kept = exchange(tmp, path)
		switch {
		case errors.Is(kept, fs.ErrNotExist): // there is no old folder
			return os.Rename(tmp, path)
		case errors.Is(kept, unix.EINVAL), errors.Is(kept, unix.ENOSYS), errors.Is(kept, unix.ENOTSUP):
			return nil
		}
		return kept
	})
	if err != nil || kept == nil || errors.Is(kept, fs.ErrNotExist) {
		return err
	}
	return swapInTwo(tmp, path)
}

// swapInTwo is for file systems that cannot exchange.
func swapInTwo(tmp, path string) error {
	old, err := os.Open(path)
	if err != nil {
		return err
	}
	defer old.Close()
	if !hold(old) { // against a Sweep that would put it back too early
		return failed("replace", path, errors.New("another process replaces it at this moment"))
	}
	aside := newName(path, endAside)
	if err := do(OpRename, path, func() error { return os.Rename(path, aside) }); err != nil {
		return err
	}
	if err := do(OpRename, path, func() error { return os.Rename(tmp, path) }); err != nil {
		return errors.Join(err, os.Rename(aside, path))
	}
	discard(aside)
	return nil
}

// syncAll puts a folder on the disk with all that is in it.
func syncAll(folder string) error {
	return filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() && !entry.Type().IsRegular() {
			return err
		}
		return syncPath(path, path)
	})
}

// syncPath puts a file or folder on the disk; errors name it as the caller knows it.
func syncPath(path, known string) error {
	return do(OpSync, known, func() error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		err = f.Sync()
		if info.IsDir() && (errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP)) {
			return nil // some network file systems cannot sync a folder
		}
		return err
	})
}

// CopyFolder copies the files in a folder, and in the folders within it, into another one, but for some names. Where from is
// missing, there is nothing to copy.
func CopyFolder(from, to string, but ...string) error {
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil || slices.Contains(but, name) {
			return err
		}
		if err := MkdirAll(filepath.Dir(filepath.Join(to, name))); err != nil {
			return err
		}
		return Copy(path, filepath.Join(to, name))
	})
	if errors.Is(err, fs.ErrNotExist) {
		if _, missing := os.Stat(from); missing != nil {
			return nil
		}
	}
	return err
}

// Carry puts what keep chooses of a folder into another one as well, by its slashed name in it: files of any kind, which get a second
// name where the file system can, and empty folders. Where from is missing, there is nothing to carry.
func Carry(from, to string, keep func(name string) bool) error {
	if _, err := os.Lstat(from); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, name)
		if entry.IsDir() {
			if within, err := os.ReadDir(path); err != nil || len(within) > 0 || !keep(filepath.ToSlash(name)) {
				return err
			}
			return MkdirAll(target)
		}
		if !keep(filepath.ToSlash(name)) {
			return nil
		}
		if err := MkdirAll(filepath.Dir(target)); err != nil {
			return err
		}
		linked := false
		if err := do(OpCreate, target, func() error { linked = os.Link(path, target) == nil; return nil }); err != nil || linked {
			return err
		}
		return Copy(path, target)
	})
}

// Link makes a symbolic link at path that points to an existing file or folder. It takes the place of a link or file there.
func Link(to, path string) error {
	target, err := filepath.Abs(to)
	if err != nil {
		return err
	}
	if there, err := os.Readlink(path); err == nil && there == target {
		return nil
	}
	folder, err := besideFolder(path) // which a Sweep knows and a link alone, which cannot be locked, would not be
	if err != nil {
		return err
	}
	defer folder.Close()
	defer discard(folder.Name())
	tmp := filepath.Join(folder.Name(), filepath.Base(path))
	if err := do(OpCreate, path, func() error { return os.Symlink(target, tmp) }); err != nil {
		return err
	}
	return rename(tmp, path)
}
