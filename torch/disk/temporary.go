package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"

	"golang.org/x/sys/unix"
)

// Names of what is being written, and of a folder that is out of its place while another one comes in.
const (
	endWritten = ".tmp"
	endAside   = ".aside"
)

var temporaryName = regexp.MustCompile(`^\.(.+)\.[0-9]{20}(\.tmp|\.aside)$`)

// newName is a name beside path that nothing has. File systems bound names to 255 bytes, so a long one is shortened.
func newName(path, end string) string {
	base := filepath.Base(path)
	if end == endWritten {
		base = base[:min(len(base), 200)]
	}
	return filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%020d%s", base, rand.Uint64(), end))
}

// beside makes a file or folder under a temporary name next to path. It is locked while it is open: a lock goes with its
// process, so what Sweep can lock was left by a killed one.
func beside(path string, open func(name string) (*os.File, error)) (*os.File, error) {
	for {
		f, err := open(newName(path, endWritten))
		if err != nil {
			return nil, err
		}
		if hold(f) {
			return f, nil
		}
		f.Close() // a Sweep came between open and hold; it removes the file
	}
}

func besideFolder(path string) (f *os.File, err error) {
	if err := MkdirAll(filepath.Dir(path)); err != nil {
		return nil, err
	}
	err = do(OpMkdir, path, func() (err error) {
		f, err = beside(path, func(name string) (*os.File, error) {
			if err := os.Mkdir(name, 0o755); err != nil {
				return nil, err
			}
			return os.Open(name)
		})
		return err
	})
	return f, err
}

// hold locks an open file or folder. It fails when another process has it locked or has removed it. Where the file system has
// no locks it succeeds, and Sweep, which cannot lock there, removes nothing.
func hold(f *os.File) bool {
	if errors.Is(flock(f, unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK) {
		return false
	}
	return inPlace(f, f.Name())
}

// inPlace tells whether path still leads to the open file.
func inPlace(f *os.File, path string) bool {
	here, err := f.Stat()
	there, err2 := os.Stat(path)
	return err == nil && err2 == nil && os.SameFile(here, there)
}

// flock waits again when a signal ended the wait.
func flock(f *os.File, how int) error {
	for {
		if err := unix.Flock(int(f.Fd()), how); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// discard removes what has a temporary name. If it fails, the next Sweep does it.
func discard(tmp string) {
	if _, err := os.Lstat(tmp); err == nil {
		_ = do(OpRemove, tmp, func() error { return os.RemoveAll(tmp) })
	}
}

// Sweep removes what killed writers left in a folder and below it. It leaves alone what living ones write. A folder that
// was out of its place at that moment, with no other one come in, is put back.
func Sweep(folder string) error {
	var faults []error
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) { // another process may have removed it just now
				faults = append(faults, err)
			}
			return nil
		}
		match := temporaryName.FindStringSubmatch(entry.Name())
		if match == nil || !entry.IsDir() && !entry.Type().IsRegular() {
			return nil
		}
		if err := sweep(path, filepath.Join(filepath.Dir(path), match[1]), match[2]); err != nil {
			faults = append(faults, err)
		}
		if entry.IsDir() {
			return fs.SkipDir
		}
		return nil
	})
	return errors.Join(append(faults, err)...)
}

func sweep(path, place, end string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if flock(f, unix.LOCK_EX|unix.LOCK_NB) != nil || !inPlace(f, path) {
		return nil
	}
	if _, err := os.Lstat(place); end == endAside && errors.Is(err, fs.ErrNotExist) {
		return rename(path, place)
	}
	return do(OpRemove, path, func() error { return os.RemoveAll(path) })
}
