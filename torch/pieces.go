package torch

import (
	"errors"
	"fmt"
)

// Pieces is in how many pieces batches are computed that follow each other: in one, until there is too little memory for that.
// A nil one never takes more than one.
type Pieces struct {
	Most  int               // a batch cannot be divided further
	What  string            // the work, for notes and errors, as "answers"
	Note  func(text string) // hears of it once for each time that the pieces get smaller; may be nil
	Grown []Growth          // so far; what an earlier attempt had may be put here, and is kept to
}

// Growth says that from a batch on there are so many pieces.
type Growth struct {
	From   int `json:"from"` // counted from 0
	Pieces int `json:"pieces"`
}

// At is the number of pieces of a batch.
func (p *Pieces) At(batch int) int {
	n := 1
	if p != nil {
		for _, g := range p.Grown {
			if g.From <= batch {
				n = max(n, g.Pieces)
			}
		}
	}
	return n
}

// Do calls f with the number of pieces to compute a batch in, and again with twice as many while there is too little memory
// for f. f must begin the batch anew each time. Where the smallest pieces are too large the error is an [OutOfMemory].
func (p *Pieces) Do(batch int, f func(pieces int) error) error {
	for {
		n := p.At(batch)
		err := f(n)
		if !LacksMemory(err) {
			return err
		}
		TrimMemory()
		if p == nil {
			return err
		}
		if n >= p.Most {
			return &OutOfMemory{What: fmt.Sprintf("%s, a batch in %d pieces", p.What, n), Err: err}
		}
		n = min(2*n, p.Most)
		p.Grown = append(p.Grown, Growth{From: batch, Pieces: n})
		if p.Note != nil {
			p.Note(fmt.Sprintf("%s: there is not enough memory (%v): batches are computed in %d pieces from number %d on", p.What, err, n, batch+1))
		}
	}
}

// OutOfMemory says that there is too little memory for work that cannot be divided further.
type OutOfMemory struct {
	What string // that was asked for
	Err  error  // what the allocator says, with the bytes that it could not give
}

func (e *OutOfMemory) Error() string {
	return fmt.Sprintf("there is not enough memory for %s: %v", e.What, e.Err)
}

func (e *OutOfMemory) Unwrap() error { return e.Err }

// LacksMemory tells whether an error says that an allocation failed which might succeed in smaller pieces.
func LacksMemory(err error) bool {
	var e *Error
	if final := (*OutOfMemory)(nil); errors.As(err, &final) {
		return false
	}
	return errors.As(err, &e) && e.Kind == KindMemory
}
