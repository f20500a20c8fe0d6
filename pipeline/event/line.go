package event

import (
	"encoding/json"
	"fmt"
	"time"
)

// Version is that of the form of lines. A field may come without another version; none changes its meaning or goes.
const Version = 1

// Start is the first line of each start of a run; it is in the run's journal alone.
type Start struct {
	Version int    `json:"version"`
	PID     int    `json:"pid"`
	Output  string `json:"output"`
	Seed    int    `json:"seed"`
	Threads int    `json:"threads"`
	Device  string `json:"device"`
}

// Result is how a start of a run ended.
type Result string

const (
	Done    Result = "done"
	Refused Result = "refused" // a stage was not accepted: the student is the one before it
	Stopped Result = "stopped" // by a signal, after it was saved
	Input   Result = "input"   // the configuration, the data or a checkpoint is at fault
	Failed  Result = "failed"
	Again   Result = "again" // it starts once more by itself, without rows that cannot be read
)

// Status is the exit status of a command whose run ended so, where its error says no other one.
func (r Result) Status() int {
	switch r {
	case Done:
		return 0
	case Input:
		return 2
	case Refused:
		return 3
	case Stopped:
		return 130
	}
	return 1
}

// End is the last line of a start that was not killed; it is in the run's journal alone.
type End struct {
	Result  Result  `json:"result"`
	Status  int     `json:"status"` // the command's exit status
	Error   string  `json:"error,omitempty"`
	Seconds float64 `json:"seconds"`          // since the start
	Report  string  `json:"report,omitempty"` // the file's name in the run's folder, where this start has written it
}

func (Start) event() {}
func (End) event()   {}

// line is what every line begins with.
type line struct {
	Time   string `json:"time"` // in timeForm, which sorts as the time does
	What   string `json:"what"`
	Stage  string `json:"stage,omitempty"`
	Phase  string `json:"phase,omitempty"`
	Detail string `json:"detail,omitempty"`
}

const timeForm = "2006-01-02T15:04:05.000Z"

// Line is an event as a JSON object: the time, what it is, its stage and phase, and its own fields. now is the phase that the run is
// in. Finished has no line: its report is a file.
func Line(at time.Time, now Phase, e Event) ([]byte, error) {
	l := line{Time: at.UTC().Format(timeForm)}
	in := func(p Phase) { l.Stage, l.Phase, l.Detail = p.Stage, p.Name, p.Detail }
	switch e := e.(type) {
	case Start:
		l.What = "start"
	case End:
		l.What = "end"
	case Phase:
		l.What = "phase"
		in(e)
	case Progress:
		l.What = "progress"
		in(now)
	case Curve:
		l.What = "curve"
		if in(now); e.Phase != (Phase{}) {
			in(e.Phase)
		}
	case Step:
		l.What = "step"
	case TeacherMeasured:
		l.What, l.Stage = "measured", "teacher"
	case StageMeasured:
		l.What, l.Stage = "measured", e.Stage
	case Cut:
		l.What, l.Stage = "cut", e.Stage
	case Chosen:
		l.What, l.Stage = "chosen", e.Stage
	case Divided:
		l.What = "divided"
	case Tried:
		l.What = "tried"
	case GateResult:
		l.What, l.Stage = "gate", e.Stage
	case Outline:
		l.What = "outline"
	case Histograms:
		l.What, l.Stage = "histograms", e.Stage
	case Answers:
		l.What, l.Stage = "answers", e.Stage
	case Note:
		l.What = "note"
		in(now)
	default:
		return nil, fmt.Errorf("event: %T has no line", e)
	}
	head, err := json.Marshal(l)
	if err != nil {
		return nil, err
	}
	if _, all := e.(Phase); all {
		return head, nil
	}
	body, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("event: a line of %q: %w", l.What, err)
	}
	return append(append(head[:len(head)-1], ','), body[1:]...), nil
}

// ParseLine is the reverse of [Line]. Of a line that a later version may have, the event is nil; a line that is broken is an error.
func ParseLine(text []byte) (at time.Time, e Event, err error) {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return at, nil, fmt.Errorf("event: a broken line: %w", err)
	}
	if at, err = time.Parse(timeForm, l.Time); err != nil {
		return at, nil, fmt.Errorf("event: a broken line: %w", err)
	}
	switch l.What {
	case "start":
		e, err = parsed(text, func(*Start) {})
	case "end":
		e, err = parsed(text, func(*End) {})
	case "phase":
		e = Phase{l.Stage, l.Phase, l.Detail}
	case "progress":
		e, err = parsed(text, func(*Progress) {})
	case "curve":
		e, err = parsed(text, func(e *Curve) { e.Phase = Phase{l.Stage, l.Phase, l.Detail} })
	case "step":
		e, err = parsed(text, func(*Step) {})
	case "measured":
		var of struct{ When When }
		if err = json.Unmarshal(text, &of); err == nil && of.When == "" {
			e, err = parsed(text, func(*TeacherMeasured) {})
		} else if err == nil {
			e, err = parsed(text, func(e *StageMeasured) { e.Stage = l.Stage })
		}
	case "cut":
		e, err = parsed(text, func(e *Cut) { e.Stage = l.Stage })
	case "chosen":
		e, err = parsed(text, func(e *Chosen) { e.Stage = l.Stage })
	case "divided":
		e, err = parsed(text, func(*Divided) {})
	case "tried":
		e, err = parsed(text, func(*Tried) {})
	case "gate":
		e, err = parsed(text, func(e *GateResult) { e.Stage = l.Stage })
	case "outline":
		e, err = parsed(text, func(*Outline) {})
	case "histograms":
		e, err = parsed(text, func(e *Histograms) { e.Stage = l.Stage })
	case "answers":
		e, err = parsed(text, func(e *Answers) { e.Stage = l.Stage })
	case "note":
		e, err = parsed(text, func(*Note) {})
	}
	if err != nil {
		return at, nil, fmt.Errorf("event: a line of %q: %w", l.What, err)
	}
	return at, e, nil
}

// parsed reads the fields of an event; complete adds those that every line has.
func parsed[E Event](text []byte, complete func(*E)) (Event, error) {
	var e E
	err := json.Unmarshal(text, &e)
	complete(&e)
	return e, err
}
