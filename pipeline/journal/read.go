package journal

import (
	"bytes"
	"io"
	"path/filepath"
	"time"

	"espalier/pipeline/event"
	"espalier/torch/disk"
)

// Told is an event and when it was told.
type Told struct {
	At    time.Time
	Event event.Event
}

// Reader reads the events of a run from its folder while they are written.
type Reader struct {
	path string
	read int64 // bytes so far, all whole lines
}

// NewReader begins with the last start of the run in a folder.
func NewReader(folder string) *Reader { return &Reader{path: filepath.Join(folder, EventsName)} }

// Next gives what was told since it was last called, which may be nothing. Lines that cannot be read are passed over, as is one
// that is not whole yet. Only the last start counts: where another one has begun, what came before it is left out. An error that is
// fs.ErrNotExist says that no run has begun.
func (r *Reader) Next() (told []Told, err error) {
	f, info, err := disk.Open(r.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info.Size() < r.read { // another file
		r.read = 0
	}
	text, err := io.ReadAll(io.NewSectionReader(f, r.read, info.Size()-r.read))
	if err != nil {
		return nil, err
	}
	whole := bytes.LastIndexByte(text, '\n') + 1
	r.read += int64(whole)
	for line := range bytes.Lines(text[:whole]) {
		at, e, err := event.ParseLine(line)
		if err != nil || e == nil {
			continue
		}
		if _, start := e.(event.Start); start {
			told = nil
		}
		told = append(told, Told{at, e})
	}
	return told, nil
}

// Running tells whether a process uses a run's folder.
func Running(folder string) bool { return disk.Taken(filepath.Join(folder, ".lock")) }
