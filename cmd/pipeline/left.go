package main

import (
	"strings"
	"time"

	"espalier/pipeline/event"
)

// course is a run's work, and what it has taken so far: how long the rest will take.
type course struct {
	work  []event.Work
	paces map[string]pace
}

// pace is the time that work of some weight has taken.
type pace struct{ seconds, weight float64 }

// kindOf is what phases that keep the same pace have in common. Speed is measured on one thread, and answers differ from training.
func kindOf(phase, detail string) string {
	if strings.HasSuffix(detail, "speed") {
		return "speed"
	}
	kind, _, _ := strings.Cut(phase, " ") // "distil round 1"
	return kind
}

// begin is the rest of the run when a phase begins; nil where the phase is none of the work that was foreseen, as a further try.
func (c *course) begin(p event.Phase) *rest {
	at := -1
	for i, w := range c.work {
		if w.Times > 0 && w.Is(p) {
			at = i
			break
		}
	}
	if at < 0 {
		return nil
	}
	r := &rest{kind: kindOf(p.Name, p.Detail), weight: c.work[at].Weight, paces: map[string]pace{}, after: map[string]float64{}}
	for i := range c.work {
		w := &c.work[i]
		if w.Group < c.work[at].Group {
			w.Times = 0 // it was found, or took no time
		}
		times := w.Times
		if i == at {
			times--
		}
		if times > 0 {
			r.after[kindOf(w.Phase, w.Detail)] += w.Weight * float64(times)
		}
	}
	for kind, p := range c.paces {
		r.paces[kind] = p
	}
	return r
}

// end takes in what a phase took, of which the share done was done just now.
func (c *course) end(p event.Phase, seconds, done float64) {
	for i := range c.work {
		w := &c.work[i]
		if w.Times == 0 || !w.Is(p) {
			continue
		}
		w.Times--
		if c.paces == nil {
			c.paces = map[string]pace{}
		}
		kind := kindOf(p.Name, p.Detail)
		c.paces[kind] = c.paces[kind].with(seconds, done*w.Weight)
		return
	}
}

func (p pace) with(seconds, weight float64) pace {
	return pace{p.seconds + seconds, p.weight + weight}
}

// rest is the work behind a phase, and the paces that were known when it began. It does not change.
type rest struct {
	kind   string
	weight float64 // of the phase
	after  map[string]float64
	paces  map[string]pace
}

// left is how long the phase and all after it take, from what the phase has taken of its own work.
func (r *rest) left(spent, done, own float64) (seconds float64, known bool) {
	paces, all := map[string]pace{}, pace{}
	for kind, p := range r.paces {
		paces[kind] = p
	}
	if done > 0 {
		paces[r.kind] = paces[r.kind].with(spent, done*r.weight)
	}
	for _, p := range paces {
		all = all.with(p.seconds, p.weight)
	}
	if all.weight == 0 {
		return 0, false
	}
	of := func(kind string, weight float64) float64 {
		p := paces[kind]
		if p.weight == 0 && kind == "distil" {
			p = paces["train"] // of the teacher, which is the nearest
		}
		if p.weight == 0 {
			p = all
		}
		return p.seconds / p.weight * weight
	}
	if seconds = own; own < 0 {
		seconds = max(0, of(r.kind, r.weight)-spent)
	}
	for kind, weight := range r.after {
		seconds += of(kind, weight)
	}
	return seconds, true
}

// over is the time that the phase and all after it take; known once there is a pace.
func (t *tracker) over(now time.Time) (time.Duration, bool) {
	if t.rest == nil || len(t.rest.after) == 0 {
		return 0, false
	}
	own := -1.
	if left, known := t.left(now); known {
		own = left.Seconds()
	}
	seconds, known := t.rest.left(t.spent(now), t.share(), own)
	return time.Duration(seconds * float64(time.Second)), known
}

// work is what the phase has done, as a share of itself, and what that took: what it had done before it was begun is left out.
func (t *tracker) work(now time.Time) (seconds, done float64) {
	if !t.hasProgress || t.share() <= 0 {
		return now.Sub(t.began).Seconds(), 1
	}
	return t.lastAt.Sub(t.firstAt).Seconds(), t.share()
}

// share is the part of the phase that was done since it began, and spent the time that this took.
func (t *tracker) share() float64 {
	if t.last.Total <= 0 {
		return 0
	}
	return float64(t.last.Done-t.first) / float64(t.last.Total)
}

func (t *tracker) spent(now time.Time) float64 {
	if !t.hasProgress {
		return now.Sub(t.began).Seconds()
	}
	return now.Sub(t.firstAt).Seconds()
}
