package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Mode says who else may hold a lock at the same time.
type Mode int

const (
	Exclusive Mode = unix.LOCK_EX // nobody
	Shared    Mode = unix.LOCK_SH // others that share it
)

// ErrLocked is the error of Lock when another one holds the lock. PID is its process, or 0 where that is not known.
type ErrLocked struct {
	Path string
	PID  int
}

func (e *ErrLocked) Error() string {
	if e.PID == 0 {
		return e.Path + ": another process holds this lock"
	}
	return fmt.Sprintf("%s: process %d holds this lock", e.Path, e.PID)
}

// Held is a lock that this process holds until Unlock, or until it ends, in whatever way.
type Held struct {
	f    *os.File
	mode Mode
}

// Lock locks the file at path, which is made where it is missing, against other processes and other locks of this one.
// Without wait, a lock that another one holds is an *ErrLocked.
func Lock(path string, how Mode, wait bool) (*Held, error) {
	if wait {
		return LockContext(context.Background(), path, how)
	}
	return lock(path, how, func(f *os.File) error {
		err := flock(f, int(how)|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = &ErrLocked{Path: path, PID: holder(f)}
		}
		if err != nil {
			f.Close()
		}
		return err
	})
}

// LockContext waits for the lock until the context ends.
func LockContext(ctx context.Context, path string, how Mode) (*Held, error) {
	return lock(path, how, func(f *os.File) error {
		done, left := make(chan error), make(chan struct{})
		go func() { // a wait in the kernel cannot be ended; the goroutine gives the lock back when nobody wants it any more
			err := flock(f, int(how))
			if err != nil {
				f.Close()
			}
			select {
			case done <- err:
			case <-left:
				f.Close()
			}
		}()
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			close(left)
			return ctx.Err()
		}
	})
}

// lock takes the lock with wait, which closes the file when it fails.
func lock(path string, how Mode, wait func(*os.File) error) (*Held, error) {
	for {
		f, err := openLock(path, how)
		if err != nil {
			return nil, err
		}
		var taken *ErrLocked
		switch err := wait(f); {
		case errors.As(err, &taken):
			return nil, err
		case err != nil:
			return nil, failed("lock", path, err)
		case !inPlace(f, path): // removed while this one waited: a newcomer would lock another file
			f.Close()
			continue
		}
		h := &Held{f: f, mode: how}
		h.sign()
		return h, nil
	}
}

func openLock(path string, how Mode) (f *os.File, err error) {
	if err := MkdirAll(filepath.Dir(path)); err != nil {
		return nil, err
	}
	err = do(OpCreate, path, func() (err error) {
		f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
		return err
	})
	if how == Shared && (errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS)) {
		return os.Open(path) // who only reads needs no right to write
	}
	return f, err
}

// sign writes the holder's process id into the file, for the message of who finds it locked. A full disk does not prevent the
// lock: the message then names no process.
func (h *Held) sign() {
	if h.mode == Exclusive && h.f.Truncate(0) == nil {
		_, _ = h.f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
}

// holder is the process that signed the lock's file, or 0 when it does not live any more: those that share a lock do not sign.
func holder(f *os.File) int {
	text := make([]byte, 20)
	n, _ := f.ReadAt(text, 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text[:n])))
	if err != nil || pid <= 0 || errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
		return 0
	}
	return pid
}

// Taken tells whether somebody has locked a file against all others. To find out it shares the lock for a moment.
func Taken(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(flock(f, int(Shared)|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// Share turns an exclusive lock into a shared one. Another process that waits for an exclusive lock may have it in between:
// look again at what the lock guards.
func (h *Held) Share() error {
	if h.mode == Exclusive {
		_ = h.f.Truncate(0)
	}
	h.mode = Shared
	if err := flock(h.f, int(Shared)); err != nil {
		return failed("lock", h.f.Name(), err)
	}
	return nil
}

// Unlock ends the lock. The file stays, because a newcomer may wait for it.
func (h *Held) Unlock() error {
	if h.mode == Exclusive {
		_ = h.f.Truncate(0)
	}
	return h.f.Close()
}
