// Package disk is the one way in which this project writes files. A file or folder is filled under a temporary name beside
// its place, synced and renamed, and the folder that holds it is synced: whoever looks, also after a kill or a power cut,
// finds the old content or the new one. What a killed writer leaves under a temporary name goes with Sweep.
package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
)

// Op is a kind of operation that changes something on the disk.
type Op int

const (
	OpCreate Op = iota
	OpWrite
	OpSync
	OpRename
	OpMkdir
	OpRemove
)

func (o Op) String() string {
	names := [...]string{"create", "write", "sync", "rename", "mkdir", "remove"}
	if o < 0 || int(o) >= len(names) {
		return fmt.Sprintf("disk.Op(%d)", int(o))
	}
	return names[o]
}

var intercepted atomic.Pointer[func(Op, string) error]

// Intercept is for tests: ask is called before every operation of this package, on the goroutine that does it, with the path
// that the caller gave, or the temporary name for what is removed. An error from it takes the place of the operation. restore
// ends that.
func Intercept(ask func(op Op, path string) error) (restore func()) {
	before := intercepted.Swap(&ask)
	return func() { intercepted.Store(before) }
}

// do performs an operation unless a test prevents it. The error names the operation and path, in place of the temporary
// name that the system's error has.
func do(op Op, path string, operation func() error) error {
	if ask := intercepted.Load(); ask != nil {
		if err := (*ask)(op, path); err != nil {
			return failed(op.String(), path, err)
		}
	}
	err := operation()
	if err == nil {
		return nil
	}
	return failed(op.String(), path, err)
}

func failed(step, path string, err error) error {
	switch e := err.(type) {
	case *fs.PathError:
		err = e.Err
	case *os.LinkError:
		err = e.Err
	case *Error:
		err = e.Err
	}
	return &Error{&fs.PathError{Op: step, Path: path, Err: err}}
}

// Error is an operation of this package that failed: something could not be written.
type Error struct{ *fs.PathError }

func (e *Error) Unwrap() error { return e.PathError }

// names tells whether err already says that path is at fault.
func names(err error, path string) bool {
	var e *fs.PathError
	return errors.As(err, &e) && e.Path == path
}
