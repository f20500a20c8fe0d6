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
	own    *store
	shared *store // nil: there is none
	spare  *store // for results that can be kept nowhere else; it goes with the chain. Without a root until it is needed
	closed bool   // a result could not be kept in the shared folder: it is read, and not tried again
	limit  int64  // bytes that the shared folder may take; 0: any
	used   map[string]*disk.Held
	events event.Events
}

func newPlaces(o Options) *places {
	p := &places{own: &store{filepath.Join(o.Folder, "kept")}, spare: &store{}, limit: o.Limit, used: map[string]*disk.Held{}, events: o.Events}
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
	if p.spare.root == "" {
		return nil
	}
	return os.RemoveAll(p.spare.root)
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
	found, err := s.found(k)
	if err == nil {
		return found.Result, found.value, true
	}
	if !errors.Is(err, fs.ErrNotExist) {
		p.events.Note("%v: it is computed again", err)
	}
	return Result{}, nil, false
}

// kept is a result that was found, with its value.
type kept struct {
	Result
	value json.RawMessage
}

// found reads a result that the caller has locked.
func (s *store) found(k *call) (*kept, error) {
	m, sums, err := s.open(k.id)
	if err != nil {
		return nil, err
	}
	return &kept{Result{Folder: s.folder(k.id), Content: content(m.Value, sums), Seconds: m.Seconds, PeakRSS: m.PeakRSS, Reused: true, pieces: m.Pieces}, m.Value}, nil
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
	return append(out, p.spare)
}

// ready makes the temporary folder when its turn comes, and not before: a killed run leaves it behind.
func (p *places) ready(s *store) (err error) {
	if s == p.spare && s.root == "" {
		s.root, err = os.MkdirTemp("", "espalier-*")
	}
	return err
}

// lock locks a result in a place alone.
func (p *places) lock(s *store, k *call) (*disk.Held, error) {
	if err := p.ready(s); err != nil {
		return nil, err
	}
	return disk.Lock(s.lock(k.id), disk.Exclusive, false)
}

// claimAgain is how long a run waits before it tries again to compute a result that others hold though it is not there.
const claimAgain = 100 * time.Millisecond

// claim is the right to compute a result, with the folder for its work, or what another process has computed meanwhile. Whoever computes shares its
// lock once the result is kept, and holds it until its run ends, which may take hours: so others wait for a share of it.
func (p *places) claim(ctx context.Context, s *store, k *call) (held *disk.Held, found *kept, err error) {
	for told := false; ; told = true {
		held, err = p.lock(s, k)
		locked := (*disk.ErrLocked)(nil)
		if !errors.As(err, &locked) {
			break
		}
		if !told {
			p.events.Note("%s: process %d computes it already; waiting for its result", k.at, locked.PID)
		}
		if held, err = disk.LockContext(ctx, s.lock(k.id), disk.Shared); err != nil {
			return nil, nil, err
		}
		if found, err = s.found(k); err == nil {
			return held, found, nil
		}
		_ = held.Unlock() // the other one failed, or its result is damaged
		select {
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-time.After(claimAgain):
		}
	}
	if err != nil {
		return nil, nil, err
	}
	if r, value, ok := p.open(s, k); ok { // computed between this run's look and its claim
		_ = held.Share()
		return held, &kept{r, value}, nil
	}
	return held, nil, disk.MkdirAll(s.work(k.id))
}

// keep writes a result into the first of some places where that is possible. The first one is where it was computed.
func (p *places) keep(k *call, w *Work, m *manifest, places []*store, held *disk.Held) (Result, error) {
	for i, place := range places {
		if place == p.shared && len(m.Pieces) > 0 { // it was computed in another way than its input says
			continue
		}
		if i > 0 {
			lock, err := p.lock(place, k)
			if err != nil {
				p.cannotKeep(place, k, err)
				continue
			}
			defer lock.Unlock()
		}
		sums, err := w.write(place, k.id, m)
		if err != nil {
			p.cannotKeep(place, k, err)
			continue
		}
		if i == 0 {
			_ = held.Share()
			p.hold(place, k.id, held)
		} else {
			_ = held.Unlock()
		}
		if place == p.spare {
			p.events.Note("%s: its result is kept until the run ends, and lost then; free some space", k.at)
		}
		for _, place := range places {
			if place.root != "" {
				_ = disk.RemoveAll(place.work(k.id)) // at worst it stays until the result is removed
			}
		}
		return Result{Folder: place.folder(k.id), Content: content(m.Value, sums), Seconds: m.Seconds, PeakRSS: m.PeakRSS, Live: w.live}, nil
	}
	_ = held.Unlock()
	return Result{}, k.nowhere()
}

func (p *places) cannotKeep(s *store, k *call, err error) {
	where := s.root
	if where == "" {
		where = "a temporary folder"
	}
	if k.refused != nil {
		k.refused = fmt.Errorf("%w; %w", k.refused, err)
	} else {
		k.refused = err
	}
	p.events.Note("%s: cannot be kept in %s: %v", k.at, where, err)
	if s == p.shared && !p.closed {
		p.closed = true
		p.events.Note("this run keeps its results in %s from here on", p.own.root)
	}
}
