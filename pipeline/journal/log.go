package journal

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"time"

	"espalier/pipeline/event"
	"espalier/torch/disk"
)

// log is a file that grows by whole pieces. A fault of the disk is told once, and costs the pieces until the disk takes them again.
type log struct {
	path   string // empty: nothing is written
	whole  int64  // bytes of whole pieces: what a failed write has left behind them is cut off
	file   *disk.Appender
	failed time.Time // zero: it has not
	tell   func(err error)
}

// retry is how long a log waits after a fault.
const retry = time.Minute

func (l *log) write(now time.Time, piece []byte) {
	if l.path == "" || len(piece) == 0 || !l.failed.IsZero() && now.Sub(l.failed) < retry {
		return
	}
	err := l.open()
	if err == nil {
		_, err = l.file.Write(piece)
	}
	if err != nil {
		l.fail(now, err)
		return
	}
	l.whole += int64(len(piece))
}

func (l *log) open() (err error) {
	if l.file == nil {
		l.file, err = disk.Append(l.path, l.whole)
	}
	return err
}

func (l *log) fail(now time.Time, err error) {
	if l.file != nil {
		_ = l.file.Close()
		l.file = nil
	}
	first := l.failed.IsZero()
	l.failed = now
	if first {
		l.tell(err)
	}
}

func (l *log) close() {
	if l.file != nil {
		_ = l.file.Sync() // at worst the last lines go with a power cut
		_ = l.file.Close()
		l.file = nil
	}
}

// tail is how much of a file is read to find its last whole line; more where that does not suffice.
const tail = 1 << 20

// wholeLines is the size of a file up to the end of its last line that can be read: what a kill or a power cut has torn comes after it.
// Of a file of somebody else, all of whose lines are strange, nothing is cut off.
func wholeLines(path string) (int64, error) {
	f, info, err := disk.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	size := info.Size()
	for n := min(size, tail); ; n = min(size, 2*n) {
		text := make([]byte, n)
		if _, err := f.ReadAt(text, size-n); err != nil && err != io.EOF {
			return 0, err
		}
		for end := bytes.LastIndexByte(text, '\n'); end >= 0; {
			start := bytes.LastIndexByte(text[:end], '\n') + 1
			if start == 0 && n < size {
				break // the line may begin before
			}
			if _, _, err := event.ParseLine(text[start:end]); err == nil {
				return size - n + int64(end) + 1, nil
			}
			end = start - 1
		}
		if n == size {
			if bytes.HasPrefix(text, []byte(`{"time":`)) {
				return 0, nil
			}
			return size, nil
		}
	}
}
