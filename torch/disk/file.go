package disk

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Write makes data the content of the file at path.
func Write(path string, data []byte) error {
	return WriteWith(path, func(w io.Writer) error { _, err := w.Write(data); return err })
}

// WriteWith makes what write writes the content of the file at path. When write or the disk fails, or write panics, path is
// as before and nothing stands beside it.
func WriteWith(path string, write func(io.Writer) error) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	defer f.Abort()
	if err := write(f); err != nil {
		if names(err, path) {
			return err
		}
		return fmt.Errorf("write %s: %w", path, err)
	}
	return f.Commit()
}

// WriteNamed is WriteWith for a writer that takes a file's name: tmp has the last element of path, in a temporary folder.
func WriteNamed(path string, write func(tmp string) error) error {
	if err := replaceable(path); err != nil {
		return err
	}
	folder, err := besideFolder(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	defer discard(folder.Name())
	tmp := filepath.Join(folder.Name(), filepath.Base(path))
	if err := write(tmp); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := syncPath(tmp, path); err != nil {
		return err
	}
	return rename(tmp, path)
}

// Copy makes the content of one regular file that of another.
func Copy(from, to string) error {
	f, _, err := Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	return WriteWith(to, func(w io.Writer) error { _, err := io.Copy(w, f); return err })
}

// A File is written under a temporary name and appears at its path with Commit. It is not for several goroutines at once.
type File struct {
	path string
	tmp  *os.File // nil when the file is committed or aborted
	out  *bufio.Writer
}

// Create begins a file that will replace what is at path; a missing folder is made. Every File ends with Commit or Abort.
func Create(path string) (*File, error) {
	if err := replaceable(path); err != nil {
		return nil, err
	}
	if err := MkdirAll(filepath.Dir(path)); err != nil {
		return nil, err
	}
	f := &File{path: path}
	err := do(OpCreate, path, func() (err error) {
		f.tmp, err = beside(path, func(name string) (*os.File, error) {
			return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	f.out = bufio.NewWriterSize(raw{f}, 1<<20)
	return f, nil
}

// replaceable refuses folders, and devices and pipes such as /dev/null, which a rename would replace by a file.
func replaceable(path string) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return failed("create", path, errors.New("it is there and is "+kind(info.Mode())+"; name a file"))
	}
	return nil
}

// raw is a file without its buffer.
type raw struct{ f *File }

func (r raw) Write(p []byte) (n int, err error) {
	err = do(OpWrite, r.f.path, func() (err error) { n, err = r.f.tmp.Write(p); return err })
	return n, err
}

// Write adds to the file, through a buffer.
func (f *File) Write(p []byte) (int, error) { return f.out.Write(p) }

// Sync puts on the disk what was written so far, still under the temporary name.
func (f *File) Sync() error {
	if err := f.out.Flush(); err != nil {
		return err
	}
	return do(OpSync, f.path, f.tmp.Sync)
}

// Commit puts the file at its path, or on failure leaves nothing of it.
func (f *File) Commit() error {
	defer f.Abort()
	if err := f.Sync(); err != nil {
		return err
	}
	// Closed after the rename, because the open file holds the lock that keeps Sweep away. Its content is synced by then.
	return rename(f.tmp.Name(), f.path)
}

// Abort drops a file that was not committed. After Commit it does nothing.
func (f *File) Abort() {
	if f.tmp == nil {
		return
	}
	discard(f.tmp.Name()) // after a commit nothing has this name any more
	f.tmp.Close()
	f.tmp = nil
}
