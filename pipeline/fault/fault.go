// Package fault marks the errors that the user can put right.
package fault

import (
	"errors"
	"fmt"
	"strings"
)

// InputError marks what the user can put right: a fault in run.toml, in the data, or in a checkpoint.
// cmd/pipeline ends with status 2 on it, and prints its text line by line.
type InputError struct{ Err error }

func (e *InputError) Error() string { return e.Err.Error() }
func (e *InputError) Unwrap() error { return e.Err }

// Inputf makes an InputError; a %w in the format keeps its chain.
func Inputf(format string, args ...any) error {
	return &InputError{fmt.Errorf(format, args...)}
}

// Screen is the most faults that one error lists.
const Screen = 20

// List is an InputError of several faults, one a line, or nil where there is none. Of more than a [Screen] it gives the
// first, and the number of the others.
func List(faults []string) error {
	if len(faults) == 0 {
		return nil
	}
	shown := faults
	if more := len(faults) - Screen; more > 0 {
		shown = append(faults[:Screen:Screen], fmt.Sprintf("and %d more", more))
	}
	return &InputError{errors.New(strings.Join(shown, "\n"))}
}
