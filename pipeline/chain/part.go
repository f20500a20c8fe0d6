package chain

import (
	"errors"
	"fmt"
	"io/fs"

	"espalier/torch/disk"
)

// Part is as much of a step's value as there is, kept in the state of its work, so that an interrupted step goes on with it.
type Part[T any] struct {
	Done  int // batches or pictures that Value is of
	Value T

	what   string
	kept   int // of Done
	keeper disk.Keeper
}

// partPlace is a part on the disk.
type partPlace[T any] struct {
	Done  int `json:"done"`
	Value T   `json:"value"`
}

// Resume gives the part that an interrupted attempt has kept, or an empty one; what names it for notes, as "scores". A part
// that is damaged is told and not used.
func Resume[T any](w *Work, what string) *Part[T] {
	note := func(text string) { w.Events.Note("%s: %s", what, text) }
	p := &Part[T]{what: what, keeper: disk.NewKeeper(disk.Keep{Folder: w.State(), Every: w.KeepEvery}, note)}
	var at partPlace[T]
	switch err := disk.ReadPlace(w.State(), &at); {
	case err == nil:
		p.Done, p.kept, p.Value = at.Done, at.Done, at.Value
	case !errors.Is(err, fs.ErrNotExist):
		note(fmt.Sprintf("the kept state in %s cannot be used (%v): they are computed from the beginning", w.State(), err))
	}
	return p
}

// Add takes over the value after so many batches or pictures. It is kept when the time for that has come.
func (p *Part[T]) Add(done int, value T) {
	p.Done, p.Value = done, value
	if p.keeper.Due(done) {
		p.Keep()
	}
}

// Keep keeps the part at once: the step ends before its time.
func (p *Part[T]) Keep() {
	if p.Done == p.kept {
		return
	}
	p.keeper.Save(fmt.Sprintf("the state after %d", p.Done), func() error {
		return disk.WritePlace(p.keeper.Folder, partPlace[T]{p.Done, p.Value})
	})
	p.kept = p.Done
}
