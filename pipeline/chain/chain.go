package chain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"espalier/pipeline/event"
	"espalier/pipeline/process"
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
	places      *places
	record      *record
	tally       tally
	recheck     recheck
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
	c := &Chain{Environment: e, o: o, lock: lock, places: newPlaces(o), tally: tally{events: o.Events}}
	c.record = readRecord(filepath.Join(o.Folder, recordName), o.Events)
	return c, nil
}

// Finish forgets the steps of earlier chains that this one did not have, and says what was reused at the end.
func (c *Chain) Finish() {
	c.tally.flush()
	c.record.forget()
}

// Close ends the use of results and keeps the shared folder under its limit.
func (c *Chain) Close() error { return errors.Join(c.places.close(), c.lock.Unlock()) }

// Totals are those of the steps so far.
func (c *Chain) Totals() Totals { return c.tally.Totals }

// Rechecked is an error that names the steps whose results were others when they were computed once more.
func (c *Chain) Rechecked() error { return c.recheck.result(c.o.Events) }

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

// do finds a result, or computes and keeps it.
func (c *Chain) do(ctx context.Context, k *call) (Result, json.RawMessage, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, nil, context.Cause(ctx)
	}
	found, value, ok := c.places.find(k)
	if ok {
		c.tally.found(k)
		if c.o.Recheck && !k.own { // what holds times is another each time
			if err := c.again(ctx, k, found); err != nil {
				return found, nil, err
			}
		}
	} else {
		var err error
		if found, value, err = c.compute(ctx, k); err != nil {
			return found, nil, err
		}
	}
	c.record.keep(k, found)
	c.tally.count(found)
	c.o.Events.Emit(event.Step{At: k.at, Kept: found.Reused, Seconds: found.Seconds})
	return found, value, nil
}

// compute computes a result and keeps it: in the shared folder, or where that fails in the run's, or where that fails too in
// a temporary one, so that the run can go on.
func (c *Chain) compute(ctx context.Context, k *call) (Result, json.RawMessage, error) {
	places := c.places.toKeep(k.own)
	for i, place := range places {
		held, found, err := c.places.claim(ctx, place, k)
		if err != nil {
			if ctx.Err() != nil {
				return Result{}, nil, context.Cause(ctx)
			}
			c.places.cannotKeep(place, k, err)
			continue
		}
		if found != nil { // another process was faster
			c.places.hold(place, k.id, held)
			c.tally.found(k)
			return found.Result, found.value, nil
		}
		gone, changed := c.record.compared(k)
		c.tally.computed(k, gone, changed)
		k.begin(c.o.Events)
		began := time.Now()
		w := &Work{Environment: c.Environment, Events: c.o.Events, Phase: k.phase, KeepEvery: c.o.KeepEvery, folder: place.work(k.id)}
		value, err := k.compute(ctx, w)
		if failed := (*disk.Error)(nil); errors.As(err, &failed) && i+1 < len(places) { // a file that is written as it is computed
			_ = held.Unlock()
			c.places.cannotKeep(place, k, err)
			continue
		}
		if err != nil {
			w.release()
			_ = held.Unlock()
			return Result{}, nil, err
		}
		m := &manifest{Step: k.step, Fingerprint: k.fingerprint, Inputs: k.inputs, Environment: k.environment, Value: value,
			Seconds: time.Since(began).Seconds(), PeakRSS: process.Peak(), Pieces: w.pieces.grown(), Made: began.UTC().Truncate(time.Second)}
		c.tally.Spent += m.Seconds
		r, err := c.places.keep(k, w, m, places[i:], held)
		if err != nil {
			w.release()
		}
		return r, value, err
	}
	return Result{}, nil, k.nowhere()
}

// again computes a result that was found once more, to compare the two.
func (c *Chain) again(ctx context.Context, k *call, found Result) error {
	spare := c.places.spare
	if err := c.places.ready(spare); err != nil {
		return fmt.Errorf("chain: there is no temporary folder for the recheck: %w", err)
	}
	k.begin(c.o.Events)
	w := &Work{Environment: c.Environment, Events: c.o.Events, Phase: k.phase, folder: spare.work(k.id), pieces: found.pieces}
	if err := c.recheck.compare(ctx, k, w, found); err != nil {
		return fmt.Errorf("recheck of %s: %w", k.at, err)
	}
	return nil
}
