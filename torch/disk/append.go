package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Appender is a file that grows in its place while it is computed, so that an interrupted work can go on with it. What counts
// of it says a file that is written after Sync.
type Appender struct{ f *os.File }

// Append opens a file to go on behind its first size bytes; what follows them is cut off. A missing file is made.
func Append(path string, size int64) (*Appender, error) {
	if err := replaceable(path); err != nil {
		return nil, err
	}
	_, missing := os.Stat(path)
	var f *os.File
	err := do(OpCreate, path, func() (err error) {
		if f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644); err != nil {
			return err
		}
		if err = f.Truncate(size); err == nil {
			_, err = f.Seek(size, 0)
		}
		if err != nil {
			f.Close()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if errors.Is(missing, fs.ErrNotExist) { // the name of a new file is on the disk only when its folder is
		if err := syncPath(filepath.Dir(path), filepath.Dir(path)); err != nil {
			f.Close()
			return nil, err
		}
	}
	return &Appender{f}, nil
}

// Write adds to the file.
func (a *Appender) Write(p []byte) (n int, err error) {
	err = do(OpWrite, a.f.Name(), func() (err error) {
		n, err = a.f.Write(p)
		return err
	})
	return n, err
}

// Sync puts what was written on the disk.
func (a *Appender) Sync() error { return do(OpSync, a.f.Name(), a.f.Sync) }

// Close closes the file.
func (a *Appender) Close() error { return a.f.Close() }
