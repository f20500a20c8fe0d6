package chain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"espalier/pipeline/event"
	"espalier/torch"
	"espalier/torch/disk"
)

// compute computes a result and keeps it: in the shared folder, or where that fails in the run's, or where that fails too in
// a temporary one, so that the run can go on.
func (c *Chain) compute(ctx context.Context, k *call) (Result, json.RawMessage, error) {
	places := c.places(k.own)
	for i, place := range places {
		held, err := c.claim(ctx, place, k)
		if err != nil {
			if ctx.Err() != nil {
				return Result{}, nil, context.Cause(ctx)
			}
			c.cannotKeep(place, k, err)
			continue
		}
		if found, value, ok := c.open(place, k); ok { // another process was faster
			_ = held.Share()
			c.hold(place, k.id, held)
			c.tell(k, true)
			return found, value, nil
		}
		c.tell(k, false)
		k.begin(c.o.Events)
		began := time.Now()
		w := &Work{Environment: c.Environment, Events: c.o.Events, KeepEvery: c.o.KeepEvery, folder: place.work(k.id)}
		value, err := k.compute(ctx, w)
		if failed := (*disk.Error)(nil); errors.As(err, &failed) && i+1 < len(places) { // a file that is written as it is computed
			_ = held.Unlock()
			c.cannotKeep(place, k, err)
			continue
		}
		if err != nil {
			w.release()
			_ = held.Unlock()
			return Result{}, nil, err
		}
		m := &manifest{Step: k.step, Fingerprint: k.fingerprint, Inputs: k.inputs, Environment: k.environment, Value: value,
			Seconds: time.Since(began).Seconds(), PeakRSS: peakRSS(), Pieces: w.pieces.grown(), Made: began.UTC().Truncate(time.Second)}
		c.spent += m.Seconds
		r, err := c.keep(k, w, m, places[i:], held)
		if err != nil {
			w.release()
		}
		return r, value, err
	}
	return Result{}, nil, fmt.Errorf("chain: %s: there is no folder to keep its result in, not even a temporary one; free some space", k.at)
}

// places are the folders to keep a result in, the best one first.
func (c *Chain) places(own bool) []*store {
	out := []*store{c.own}
	if c.shared != nil && !c.closed && !own {
		out = []*store{c.shared, c.own}
	}
	return append(out, c.spare())
}

// spare is a folder for results that can be kept nowhere else; it goes with the chain.
func (c *Chain) spare() *store {
	if c.temporary == "" {
		if folder, err := os.MkdirTemp("", "espalier-*"); err == nil {
			c.temporary = folder
		}
	}
	return &store{c.temporary}
}

// claim waits until no other process computes the result, and makes the folder for its work.
func (c *Chain) claim(ctx context.Context, s *store, k *call) (*disk.Held, error) {
	if s.root == "" {
		return nil, errors.New("there is no temporary folder")
	}
	if err := disk.MkdirAll(filepath.Join(s.root, ".locks")); err != nil {
		return nil, err
	}
	held, err := disk.Lock(s.lock(k.id), disk.Exclusive, false)
	if locked := (*disk.ErrLocked)(nil); errors.As(err, &locked) {
		c.o.Events.Note("%s: process %d computes it already; waiting for its result", k.at, locked.PID)
		held, err = disk.LockContext(ctx, s.lock(k.id), disk.Exclusive)
	}
	if err != nil {
		return nil, err
	}
	return held, disk.MkdirAll(s.work(k.id))
}

// keep writes a result into the first of some places where that is possible. The first one is where it was computed.
func (c *Chain) keep(k *call, w *Work, m *manifest, places []*store, held *disk.Held) (Result, error) {
	var failed error
	for i, place := range places {
		if place == c.shared && len(m.Pieces) > 0 { // it was computed in another way than its input says
			continue
		}
		if i > 0 {
			lock, err := disk.Lock(place.lock(k.id), disk.Exclusive, false)
			if err != nil {
				c.cannotKeep(place, k, err)
				continue
			}
			defer lock.Unlock()
		}
		sums, err := w.write(place, k.id, m)
		if err != nil {
			failed = err
			c.cannotKeep(place, k, err)
			continue
		}
		if i == 0 {
			_ = held.Share()
			c.hold(place, k.id, held)
		} else {
			_ = held.Unlock()
		}
		if place.root == c.temporary {
			c.o.Events.Note("%s: its result is kept until the run ends, and lost then; free some space", k.at)
		}
		for _, p := range places {
			_ = disk.RemoveAll(p.work(k.id)) // at worst it stays until the result is removed
		}
		return Result{Folder: place.folder(k.id), Content: content(m.Value, sums), Seconds: m.Seconds, PeakRSS: m.PeakRSS, Live: w.live}, nil
	}
	_ = held.Unlock()
	return Result{}, fmt.Errorf("chain: %s: its result cannot be kept: %w", k.at, failed)
}

func (c *Chain) cannotKeep(s *store, k *call, err error) {
	c.o.Events.Note("%s: cannot be kept in %s: %v", k.at, s.root, err)
	if s == c.shared && !c.closed {
		c.closed = true
		c.o.Events.Note("this run keeps its results in %s from here on", c.own.root)
	}
}

// Work is what a step may use besides its input.
type Work struct {
	Environment Environment
	Events      event.Events
	KeepEvery   time.Duration

	folder string
	save   func(folder string) error
	live   any
	free   func()
	pieces pieces
}

// Folder is for files that are written while they are computed. It holds what an interrupted attempt has left there.
func (w *Work) Folder() (string, error) {
	folder := filepath.Join(w.folder, "result")
	return folder, disk.MkdirAll(folder)
}

// State is a folder for what an interrupted attempt needs to go on. It is removed when the result is kept.
func (w *Work) State() string { return filepath.Join(w.folder, "state") }

// Files says how the result's files are written, once it is computed: where one folder is full, they go into another.
func (w *Work) Files(save func(folder string) error) { w.save = save }

// Hold gives the result in memory to the caller of Do, beside its files; free is called when that does not take it.
func (w *Work) Hold(live any, free func()) { w.live, w.free = live, free }

// Pieces divides a kind of batches of the step where memory is short, each into most pieces at the most. The result then
// records its pieces and is kept in the run's folder alone; a recheck divides in the same way.
func (w *Work) Pieces(what string, most int) *torch.Pieces {
	if w.pieces == nil {
		w.pieces = pieces{}
	}
	p := w.pieces[what]
	if p == nil {
		p = &torch.Pieces{}
		w.pieces[what] = p
	}
	p.Most, p.What, p.Note = most, what, func(text string) { w.Events.Note("%s", text) }
	return p
}

func (w *Work) release() {
	if w.free != nil {
		w.free()
	}
	w.live, w.free = nil, nil
}

// write writes the files into a store's work folder, seals them and moves them to their place.
func (w *Work) write(s *store, id string, m *manifest) (map[string]string, error) {
	folder := filepath.Join(s.work(id), "result")
	computed := filepath.Join(w.folder, "result")
	if w.save != nil || computed != folder { // an interrupted attempt may have left something
		if err := disk.RemoveAll(folder); err != nil {
			return nil, err
		}
	}
	if err := disk.MkdirAll(folder); err != nil {
		return nil, err
	}
	switch {
	case w.save != nil:
		if err := w.save(folder); err != nil {
			return nil, err
		}
	case computed != folder:
		if err := disk.CopyFolder(computed, folder); err != nil {
			return nil, err
		}
	}
	if err := disk.Sweep(folder); err != nil {
		return nil, err
	}
	sums, err := seal(folder, m)
	if err != nil {
		return nil, err
	}
	if err := disk.RemoveAll(s.folder(id)); err != nil { // a damaged one
		return nil, err
	}
	return sums, disk.Rename(folder, s.folder(id))
}
