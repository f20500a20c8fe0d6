package disk

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// WithoutExchange is a file system that cannot exchange two names.
func WithoutExchange() (restore func()) {
	was := exchange
	exchange = func(string, string) error { return unix.EINVAL }
	return func() { exchange = was }
}

// SetNow sets the clock that indexes read.
func SetNow(clock func() time.Time) (restore func()) {
	was := now
	now = clock
	return func() { now = was }
}

// SetMaxEntries sets how many entries an index keeps.
func SetMaxEntries(n int) (restore func()) {
	was := maxEntries
	maxEntries = n
	return func() { maxEntries = was }
}

// Resealed is an index with one text in place of another, as if Save had written that.
func Resealed(index []byte, is, becomes string) []byte {
	index = bytes.ReplaceAll(index[:bytes.LastIndexByte(index, '\n')+1], []byte(is), []byte(becomes))
	sum := sha256.Sum256(index)
	return append(index, hex.EncodeToString(sum[:])...)
}

func ChangeTimeOf(info fs.FileInfo) int64 { return stateOf(info).ctime }

func ChangeTime(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return ChangeTimeOf(info)
}

// LockAfter waits for a lock until between, called once, has returned.
func LockAfter(path string, between func()) (*Held, error) {
	return lock(path, Exclusive, func(f *os.File) error {
		if between != nil {
			between()
			between = nil
		}
		return flock(f, unix.LOCK_EX)
	})
}
