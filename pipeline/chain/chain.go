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

// Step is one kind of work. Compute sees its input, the environment that [Work] tells, and nothing else.
type Step[In, Out any] struct {
	Name    string // as "score"; part of the fingerprint
	Own     bool   // the result holds times: it is kept in the run's folder alone, and never compared
	Compute func(ctx context.Context, w *Work, in In) (Out, error)
}

// Kept is a result with its value.
type Kept[Out any] struct {
	Value Out
	Result
}

// Result is what was kept of a step.
type Result struct {
	Folder  string  // of its files; empty where they could not be written
	Content Print   // of its value and its files, times left out
	Seconds float64 // that it took to compute
	PeakRSS int64   // of the process until it was computed, bytes
	Reused  bool
	Live    any // what Compute gave to Work.Hold; nil when the result was found

	pieces pieces // that it was computed in
}

// Print is that of the result's content: what stands on it need not be computed again when it was computed anew and is
// the same.
func (r Result) Print() Print { return r.Content }

// CopyFiles copies the result's own files into a folder.
func (r Result) CopyFiles(folder string) error {
	return disk.CopyFolder(r.Folder, folder, ManifestName, sumsName)
}

// Follows makes it a [Follower].
func (r Result) Follows() {}

// Options say where results are kept.
type Options struct {
	Folder    string        // of the run
	Shared    string        // folder of results that runs share; empty: the run's folder serves
	Limit     int64         // bytes that the shared folder may take; 0: any
	KeepEvery time.Duration // how often state within a training is kept
	Recheck   bool          // results that are found are computed once more, and compared
	Events    event.Events
}

// Chain is the kept results of a run. One goroutine uses it.
type Chain struct {
	Environment Environment
	o           Options
	lock        *disk.Held
	own         *store
	shared      *store // nil: there is none
	closed      bool   // a result could not be kept in the shared folder: it is read, and not tried again
	temporary   string // a folder of results that could not be kept elsewhere; made when it is needed
	used        map[string]*disk.Held
	record      *record
	differ      []string // of a recheck
	rechecked   int
	told        tally
	spent       float64 // seconds of what was computed by this chain
	seconds     float64 // and of all its steps
	peak        int64
}

// Open locks a run's folder and makes its chain ready. A folder that another process uses is a [disk.ErrLocked].
func Open(e Environment, o Options) (*Chain, error) {
	if err := disk.MkdirAll(filepath.Join(o.Folder, "kept")); err != nil {
		return nil, err
	}
	lock, err := disk.Lock(filepath.Join(o.Folder, ".lock"), disk.Exclusive, false)
	if err != nil {
		return nil, err
	}
	if err := disk.Sweep(o.Folder); err != nil { // what a killed run has left
		return nil, errors.Join(err, lock.Unlock())
	}
	c := &Chain{Environment: e, o: o, lock: lock, own: &store{filepath.Join(o.Folder, "kept")}, used: map[string]*disk.Held{}}
	c.record = readRecord(filepath.Join(o.Folder, recordName))
	if o.Shared != "" {
		c.shared = &store{o.Shared}
		if err := disk.Sweep(o.Shared); err != nil { // it may be another's to write
			o.Events.Note("%v", err)
		}
	}
	return c, nil
}

// Close ends the use of results and keeps the shared folder under its limit.
func (c *Chain) Close() error {
	for _, held := range c.used {
		_ = held.Unlock()
	}
	if c.shared != nil && !c.closed && c.o.Limit > 0 {
		for _, err := range c.shared.trim(c.o.Limit) {
			c.o.Events.Note("%v", err)
		}
	}
	var err error
	if c.temporary != "" {
		err = os.RemoveAll(c.temporary)
	}
	return errors.Join(err, c.lock.Unlock())
}

// Place is where a step stands within the run.
type Place struct {
	At    string      // as "hidden/distil 2"
	Phase event.Phase // that begins when the step is computed
}

// Do gives the result of a step for an input: the kept one, or else it is computed and kept.
func Do[In, Out any](ctx context.Context, c *Chain, place Place, s Step[In, Out], in In) (Kept[Out], error) {
	var out Kept[Out]
	call := newCall(place, s.Name, s.Own, readable(in), readable(c.Environment))
	call.compute = func(ctx context.Context, w *Work) (json.RawMessage, error) {
		value, err := s.Compute(ctx, w, in)
		if err != nil {
			return nil, err
		}
		return json.Marshal(value)
	}
	result, value, err := c.do(ctx, call)
	if err != nil {
		return out, err
	}
	out.Result = result
	if err := json.Unmarshal(value, &out.Value); err != nil {
		return out, fmt.Errorf("chain: %s: its kept value cannot be read: %w", place.At, err)
	}
	return out, nil
}

// call is a step with its input.
type call struct {
	at, step            string
	phase               event.Phase
	own                 bool
	inputs, environment any
	fingerprint         Print  // of step, inputs and environment
	id                  string // the name of the result's folder
	compute             func(ctx context.Context, w *Work) (json.RawMessage, error)
}

func newCall(place Place, step string, own bool, inputs, environment any) *call {
	print := Of(map[string]any{"step": step, "inputs": inputs, "environment": environment})
	return &call{at: place.At, phase: place.Phase, step: step, own: own, inputs: inputs, environment: environment,
		fingerprint: print, id: step + "-" + string(print[:32])}
}

// begin tells that the step is computed.
func (k *call) begin(events event.Events) {
	if k.phase.Name != "" {
		events.Emit(k.phase)
	}
}

func (c *Chain) do(ctx context.Context, k *call) (Result, json.RawMessage, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, nil, context.Cause(ctx)
	}
	found, value, ok := c.find(k)
	if ok {
		c.tell(k, true)
		if err := c.compare(ctx, k, found); err != nil {
			return found, nil, err
		}
	} else {
		var err error
		if found, value, err = c.compute(ctx, k); err != nil {
			return found, nil, err
		}
	}
	c.keepRecord(k, found)
	return found, value, nil
}

// find looks a result up and holds it until the chain is closed. A damaged one is named and taken away.
func (c *Chain) find(k *call) (Result, json.RawMessage, bool) {
	for _, s := range c.stores(k.own) {
		if _, err := os.Stat(s.folder(k.id)); err != nil {
			continue
		}
		held, err := disk.Lock(s.lock(k.id), disk.Shared, false)
		if locked := (*disk.ErrLocked)(nil); errors.As(err, &locked) {
			continue // it is being computed or removed
		}
		if found, value, ok := c.open(s, k); ok {
			c.hold(s, k.id, held)
			_ = disk.RemoveAll(s.work(k.id)) // a kill between keeping the result and this leaves it; at worst it stays
			return found, value, true
		}
		if held != nil {
			_ = held.Unlock()
		}
		if err := s.remove(k.id); err != nil {
			c.o.Events.Note("%v", err)
		}
	}
	return Result{}, nil, false
}

// open reads a result that the caller has locked, and says so where it is damaged.
func (c *Chain) open(s *store, k *call) (Result, json.RawMessage, bool) {
	m, sums, err := s.open(k.id)
	if err == nil {
		return Result{Folder: s.folder(k.id), Content: content(m.Value, sums), Seconds: m.Seconds, PeakRSS: m.PeakRSS, Reused: true, pieces: m.Pieces}, m.Value, true
	}
	if !errors.Is(err, fs.ErrNotExist) {
		c.o.Events.Note("%v: it is computed again", err)
	}
	return Result{}, nil, false
}

// stores are the folders to look into, in this order.
func (c *Chain) stores(own bool) (out []*store) {
	out = []*store{c.own}
	if c.shared != nil && !own {
		out = append(out, c.shared)
	}
	return out
}

// hold keeps others from removing a result, and marks it as used now. A folder that cannot be written has no locks.
func (c *Chain) hold(s *store, id string, held *disk.Held) {
	if held == nil {
		return
	}
	now := time.Now()
	_ = os.Chtimes(s.lock(id), now, now) // at worst it goes earlier than others
	if old := c.used[s.lock(id)]; old != nil {
		_ = old.Unlock()
	}
	c.used[s.lock(id)] = held
}
