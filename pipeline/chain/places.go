package chain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"espalier/pipeline/event"
	"espalier/torch/disk"
)

// places are the folders that results lie in, and the locks on those that the run uses.
type places struct {
	own       *store
	shared    *store // nil: there is none
	closed    bool   // a result could not be kept in the shared folder: it is read, and not tried again
	limit     int64  // bytes that the shared folder may take; 0: any
	temporary string // a folder of results that could not be kept elsewhere; made when it is needed
	used      map[string]*disk.Held
	events    event.Events
}

func newPlaces(o Options) *places {
	p := &places{own: &store{filepath.Join(o.Folder, "kept")}, limit: o.Limit, used: map[string]*disk.Held{}, events: o.Events}
	if o.Shared != "" {
		p.shared = &store{o.Shared}
		if err := disk.Sweep(o.Shared); err != nil { // it may be another's to write
			o.Events.Note("%v", err)
		}
	}
	return p
}

// close ends the use of results.
func (p *places) close() error {
	for _, held := range p.used {
		_ = held.Unlock()
	}
	if p.shared != nil && !p.closed && p.limit > 0 {
		for _, err := range p.shared.trim(p.limit) {
			p.events.Note("%v", err)
		}
	}
	if p.temporary == "" {
		return nil
	}
	return os.RemoveAll(p.temporary)
}

// toRead are the folders to look into, in this order.
func (p *places) toRead(own bool) (out []*store) {
	out = []*store{p.own}
	if p.shared != nil && !own {
		out = append(out, p.shared)
	}
	return out
}

// find looks a result up and holds it until the chain is closed. A damaged one is named and taken away.
func (p *places) find(k *call) (Result, json.RawMessage, bool) {
	for _, s := range p.toRead(k.own) {
		if _, err := os.Stat(s.folder(k.id)); err != nil {
			continue
		}
		held, err := disk.Lock(s.lock(k.id), disk.Shared, false)
		if locked := (*disk.ErrLocked)(nil); errors.As(err, &locked) {
			continue // it is being computed or removed
		}
		if found, value, ok := p.open(s, k); ok {
			p.hold(s, k.id, held)
			_ = disk.RemoveAll(s.work(k.id)) // a kill between keeping the result and this leaves it; at worst it stays
			return found, value, true
		}
		if held != nil {
			_ = held.Unlock()
		}
		if err := s.remove(k.id); err != nil {
			p.events.Note("%v", err)
		}
	}
	return Result{}, nil, false
}

// open reads a result that the caller has locked, and says so where it is damaged.
func (p *places) open(s *store, k *call) (Result, json.RawMessage, bool) {
	m, sums, err := s.open(k.id)
	if err == nil {
		return Result{Folder: s.folder(k.id), Content: content(m.Value, sums), Seconds: m.Seconds, PeakRSS: m.PeakRSS, Reused: true}, m.Value, true
	}
	if !errors.Is(err, fs.ErrNotExist) {
		p.events.Note("%v: it is computed again", err)
	}
	return Result{}, nil, false
}

// hold keeps others from removing a result, and marks it as used now. A folder that cannot be written has no locks.
func (p *places) hold(s *store, id string, held *disk.Held) {
	if held == nil {
		return
	}
	now := time.Now()
	_ = os.Chtimes(s.lock(id), now, now) // at worst it goes earlier than others
	if old := p.used[s.lock(id)]; old != nil {
		_ = old.Unlock()
	}
	p.used[s.lock(id)] = held
}

// toKeep are the folders to keep a result in, the best one first.
func (p *places) toKeep(own bool) []*store {
	out := []*store{p.own}
	if p.shared != nil && !p.closed && !own {
		out = []*store{p.shared, p.own}
	}
	return append(out, p.spare())
}

// spare is a folder for results that can be kept nowhere else; it goes with the chain.
func (p *places) spare() *store {
	if p.temporary == "" {
		if folder, err := os.MkdirTemp("", "espalier-*"); err == nil {
			p.temporary = folder
		}
	}
	return &store{p.temporary}
}

// claim waits until no other process computes the result, and makes the folder for its work.
func (p *places) claim(ctx context.Context, s *store, k *call) (*disk.Held, error) {
	if s.root == "" {
		return nil, errors.New("there is no temporary folder")
	}
	if err := disk.MkdirAll(filepath.Join(s.root, ".locks")); err != nil {
		return nil, err
	}
	held, err := disk.Lock(s.lock(k.id), disk.Exclusive, false)
	if locked := (*disk.ErrLocked)(nil); errors.As(err, &locked) {
		p.events.Note("%s: process %d computes it already; waiting for its result", k.at, locked.PID)
		held, err = disk.LockContext(ctx, s.lock(k.id), disk.Exclusive)
	}
	if err != nil {
		return nil, err
	}
	return held, disk.MkdirAll(s.work(k.id))
}

// keep writes a result into the first of some places where that is possible. The first one is where it was computed.
func (p *places) keep(k *call, w *Work, m *manifest, places []*store, held *disk.Held) (Result, error) {
	var failed error
	for i, place := range places {
		if place == p.shared && w.alone {
			continue
		}
		if i > 0 {
			lock, err := disk.Lock(place.lock(k.id), disk.Exclusive, false)
			if err != nil {
				p.cannotKeep(place, k, err)
				continue
			}
			defer lock.Unlock()
		}
		sums, err := w.write(place, k.id, m)
		if err != nil {
			failed = err
			p.cannotKeep(place, k, err)
			continue
		}
		if i == 0 {
			_ = held.Share()
			p.hold(place, k.id, held)
		} else {
			_ = held.Unlock()
		}
		if place.root == p.temporary {
			p.events.Note("%s: its result is kept until the run ends, and lost then; free some space", k.at)
		}
		for _, place := range places {
			_ = disk.RemoveAll(place.work(k.id)) // at worst it stays until the result is removed
		}
		return Result{Folder: place.folder(k.id), Content: content(m.Value, sums), Seconds: m.Seconds, PeakRSS: m.PeakRSS, Live: w.live}, nil
	}
	_ = held.Unlock()
	return Result{}, fmt.Errorf("chain: %s: its result cannot be kept: %w", k.at, failed)
}

func (p *places) cannotKeep(s *store, k *call, err error) {
	p.events.Note("%s: cannot be kept in %s: %v", k.at, s.root, err)
	if s == p.shared && !p.closed {
		p.closed = true
		p.events.Note("this run keeps its results in %s from here on", p.own.root)
	}
}
