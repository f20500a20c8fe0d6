// Package journal writes down what a run tells, while it tells it: events.jsonl, metrics.csv and TensorBoard's files in the run's
// folder, and the lines of the first to whoever asked for them. docs/events.md describes the files. They hold times, so no result and no fingerprint depends
// on them, and a disk that cannot take them costs a run nothing but them.
package journal

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"espalier/pipeline/event"
)

// These are the names of the files in a run's folder.
const (
	EventsName  = "events.jsonl"
	MetricsName = "metrics.csv"
	ReportName  = "report.json"
)

// Journal is that of one start of a run. It is used by one goroutine.
type Journal struct {
	next     event.Events
	out      io.Writer // of the lines; nil: nobody wants them, or it has failed
	now      func() time.Time
	began    time.Time
	phase    event.Phase
	told     time.Time // when progress was last written; zero: not yet in this phase
	done     int       // and how far it was
	waiting  [][]byte  // lines from before Begin
	begun    bool
	ended    bool
	reported bool // the report was written
	numbers  numbers
	lines    log
	metrics  metrics
	board    board
}

// New passes events on to next, and their lines to out, which may be nil. It writes no file before [Journal.Begin].
func New(next event.Events, out io.Writer) *Journal {
	j := &Journal{next: next, out: out, now: time.Now}
	j.began = j.now()
	return j
}

// Begin begins to write into a run's folder, which the caller has locked; an empty one is none. events.jsonl goes on behind what earlier
// starts have written; metrics.csv begins anew with the first number.
func (j *Journal) Begin(folder string, s event.Start) {
	j.begun = true
	if folder != "" {
		path := filepath.Join(folder, EventsName)
		whole, err := wholeLines(path)
		j.lines = log{path: path, whole: whole, tell: j.tell}
		if err != nil {
			j.lines.fail(j.now(), err)
			j.lines.path = "" // what it holds is not known
		}
		j.metrics.log = log{path: filepath.Join(folder, MetricsName), tell: j.tell}
		j.board.folder, j.board.tell = filepath.Join(folder, BoardName), j.tell
	}
	s.Version = event.Version
	j.write(s)
	for _, line := range j.waiting {
		j.lines.write(j.now(), line)
	}
	j.waiting = nil
}

// These bound the lines of progress, but for the first and the last of a phase: never two within brief, and between brief and long only
// after another share of the phase.
const (
	brief  = time.Second
	long   = 10 * time.Second
	shares = 200
)

// Event takes an event in. It is an [event.Events].
func (j *Journal) Event(e event.Event) {
	j.next.Emit(e)
	switch e := e.(type) {
	case event.Finished:
		j.reported = true
		return
	case event.Phase:
		j.phase, j.told = e, time.Time{}
	case event.Progress:
		now := j.now()
		if !j.due(now, e) {
			return
		}
		j.told, j.done = now, e.Done
	}
	j.write(e)
	if j.ended {
		return
	}
	rows := j.numbers.of(j.phase, e)
	j.metrics.add(j.now(), rows)
	switch e := e.(type) {
	case event.Histograms:
		step := e.Cut
		if e.Of == event.Weights {
			step = j.numbers.at(e.Stage)
		}
		j.board.histograms(j.now(), step, e)
	case event.Answers:
		j.board.answers(j.now(), j.numbers.at(e.Stage), e)
	default:
		j.board.numbers(j.now(), rows)
	}
}

// due tells whether progress is worth a line.
func (j *Journal) due(now time.Time, e event.Progress) bool {
	since := now.Sub(j.told)
	return j.told.IsZero() || e.Done >= e.Total || since >= long || since >= brief && shares*(e.Done-j.done) >= e.Total
}

// End writes how the start ended, and closes the files. An error may know its exit status, as that of a signal. What is told after it is passed on
// alone.
func (j *Journal) End(r event.Result, err error) {
	e := event.End{Result: r, Status: r.Status(), Seconds: j.now().Sub(j.began).Seconds()}
	var own interface{ Status() int }
	if errors.As(err, &own) {
		e.Status = own.Status()
	}
	if err != nil {
		e.Error = err.Error()
	}
	if j.reported {
		e.Report = ReportName
	}
	j.write(e)
	j.ended = true
	j.lines.close()
	j.metrics.close()
	j.board.close()
}

// write writes the line of an event.
func (j *Journal) write(e event.Event) {
	if j.ended {
		return
	}
	line, err := event.Line(j.now(), j.phase, e)
	if err != nil { // a number that is none, where nobody thought of it
		line, _ = event.Line(j.now(), j.phase, event.Note{Text: err.Error()})
	}
	line = append(line, '\n')
	if j.out != nil {
		if _, err := j.out.Write(line); err != nil {
			j.out = nil // half a line may be there: no other can follow. The writer knows of its fault, and tells it
		}
	}
	if j.begun {
		j.lines.write(j.now(), line)
	} else {
		j.waiting = append(j.waiting, line)
	}
}

// tell tells of a file that cannot be written. The line of the note goes to whoever reads along.
func (j *Journal) tell(err error) {
	j.Event(event.Note{Text: fmt.Sprintf("%v; the run goes on, and this file lacks what happens until it can be written: free some space", err)})
}
