package chain

import (
	"strings"

	"espalier/pipeline/event"
	"espalier/pipeline/process"
)

// Totals are what the steps of a chain came to.
type Totals struct {
	Reused  []string // the steps whose results were found, in their order
	Spent   float64  // seconds that went into what this chain computed
	Seconds float64  // seconds that went into all of its steps, whenever they were computed
	PeakRSS int64    // the most memory that a process has had while it computed one of the steps, bytes
}

// tally counts a chain's steps. It tells what is reused, and why something is computed again.
type tally struct {
	Totals
	events event.Events
	untold []string // steps in a row whose results were found
	reason bool     // a reason to compute again was told
}

// found notes a step whose result was kept.
func (t *tally) found(k *call) {
	t.untold, t.Reused = append(t.untold, k.at), append(t.Reused, k.at)
}

// computed tells why a step is computed: its kept result is gone, or something changed, which is told of the first such step.
func (t *tally) computed(k *call, gone bool, changed []string) {
	t.flush()
	switch {
	case gone:
		t.events.Note("%s: its kept result is gone; it is computed again", k.at)
	case len(changed) > 0 && !t.reason:
		t.reason = true
		t.events.Note("%s is computed again, and what stands on it: %s", k.at, strings.Join(changed, ", "))
	}
}

// count adds what a result took.
func (t *tally) count(found Result) {
	t.Seconds += found.Seconds
	t.PeakRSS = max(t.PeakRSS, found.PeakRSS, process.Peak())
}

// fewReused are named one by one.
const fewReused = 6

// flush tells what was reused since it was last told.
func (t *tally) flush() {
	if n := len(t.untold); n > fewReused {
		t.events.Note("reused: %s … %s (%d results)", t.untold[0], t.untold[n-1], n)
	} else if n > 0 {
		t.events.Note("reused: %s", strings.Join(t.untold, ", "))
	}
	t.untold = nil
}
