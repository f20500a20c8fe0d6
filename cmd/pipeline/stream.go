package main

import (
	"fmt"
	"io"
)

// stream takes the lines of a run for another program. A fault is told once, when it comes; it ends no run, and yet whoever reads lacks what
// followed, so the command fails when the run is over.
type stream struct {
	out, stderr io.Writer
	failed      bool
}

func (s *stream) Write(p []byte) (int, error) {
	if s.failed {
		return 0, io.ErrClosedPipe
	}
	n, err := s.out.Write(p)
	if err != nil {
		s.failed = true
		fmt.Fprintf(s.stderr, "pipeline: -json: %v: the run goes on, and its lines are in its folder's events.jsonl alone\n", err)
	}
	return n, err
}
