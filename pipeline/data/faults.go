package data

import (
	"errors"
	"fmt"
	"strings"
)

// maxFaults is how many faults are listed: a data set that is wrong throughout must not flood the terminal.
const maxFaults = 20

// faults collects what is wrong with a data set, so that the user learns all of it at once.
type faults struct {
	lines   []string
	more    int
	all     bool // every one is listed, those of rows too
	skip    bool // rows at fault are left out
	skipped []Skipped

	split string             // the one at hand
	first map[string]Skipped // row of each split that was left out
}

// Skipped is a row that was left out.
type Skipped struct {
	Place  string `json:"place"` // where it is written
	Reason string `json:"reason"`
}

// Unreadable is a row whose picture cannot be read, though it could be when the data set was opened.
type Unreadable struct {
	Place string // where it is written
	Err   error
}

func (e *Unreadable) Error() string { return fmt.Sprintf("data: %s: %v", e.Place, e.Err) }

func (e *Unreadable) Unwrap() error { return e.Err }

// Row notes what is wrong with one row: a fault, or a reason to leave the row out.
func (f *faults) Row(place, format string, args ...any) {
	if !f.skip || f.all {
		f.Add(place, format, args...)
	}
	if !f.skip {
		return
	}
	row := Skipped{place, oneLine(fmt.Sprintf(format, args...))}
	f.skipped = append(f.skipped, row)
	if _, there := f.first[f.split]; !there {
		if f.first == nil {
			f.first = map[string]Skipped{}
		}
		f.first[f.split] = row
	}
}

// Add notes a fault, on one line. The place is a file, or a file and a line; the text says what is wrong and what
// to do.
func (f *faults) Add(place, format string, args ...any) {
	if len(f.lines) >= maxFaults && !f.all {
		f.more++
		return
	}
	f.lines = append(f.lines, fmt.Sprintf("data: %s: %s", place, oneLine(fmt.Sprintf(format, args...))))
}

// oneLine is the text on one line, and not all of it where it quotes data without end.
func oneLine(text string) string {
	const most = 500 // letters
	text = strings.ReplaceAll(text, "\n", " ")
	if letters := []rune(text); len(letters) > most {
		text = string(letters[:most/2]) + " … " + string(letters[len(letters)-most/2:])
	}
	return text
}

func (f *faults) err() error {
	if len(f.lines) == 0 {
		return nil
	}
	lines := f.lines
	if f.more > 0 {
		lines = append(lines[:len(lines):len(lines)], fmt.Sprintf("data: and %d faults more", f.more))
	}
	return errors.New(strings.Join(lines, "\n"))
}
