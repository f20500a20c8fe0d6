package main

import (
	"context"
	"errors"
	"fmt"

	"espalier/pipeline/fault"
	"espalier/pipeline/stage"
)

// cause is the signal that ended a run, where one did.
func cause(ctx context.Context, err error) error {
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func status(err error) int {
	var input *fault.InputError
	var gate *stage.GateError
	var signal stopped
	switch {
	case err == nil:
		return 0
	case errors.As(err, &signal):
		return signal.Status()
	case errors.Is(err, context.Canceled):
		return 130
	case errors.As(err, &gate):
		return 3
	case errors.As(err, &input):
		return 2
	}
	return 1
}

// settings collects the values of a flag that may be repeated.
type settings []string

func (s *settings) String() string         { return fmt.Sprint(*s) }
func (s *settings) Set(value string) error { *s = append(*s, value); return nil }
