package disk

import (
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
