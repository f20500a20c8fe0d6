// Package forecast says what a run will take, from a rehearsal of it: the same phases with a few units of work each.
package forecast

import (
	"time"

	"espalier/pipeline/event"
)

// Clock takes the times of a rehearsal's phases from its events. What lies between two phases belongs to the first.
type Clock struct {
	now    func() time.Time
	phases []*Phase
}

// NewClock starts one.
func NewClock() *Clock { return &Clock{now: time.Now} }

// Phase is a phase as it was rehearsed.
type Phase struct {
	event.Phase
	Seconds float64
	P50     float64 // the latency that was measured in it, ms; 0 where none was

	began time.Time
	laps  []lap
	unit  string

	foretold float64 // seconds that the whole run's will take
}

// lap is how far a phase was, and when: seconds after its beginning.
type lap struct {
	done int
	at   float64
}

// Event is to be given all events of the rehearsal.
func (c *Clock) Event(e event.Event) {
	switch e := e.(type) {
	case event.Phase:
		c.End()
		c.phases = append(c.phases, &Phase{Phase: e, began: c.now()})
	case event.Progress:
		if p := c.last(); p != nil {
			p.laps, p.unit = append(p.laps, lap{e.Done, c.now().Sub(p.began).Seconds()}), e.Unit
		}
	case event.TeacherMeasured:
		c.measured(e.Model.LatencyMS.P50)
	case event.StageMeasured:
		c.measured(e.Model.LatencyMS.P50)
	}
}

func (c *Clock) last() *Phase {
	if len(c.phases) == 0 {
		return nil
	}
	return c.phases[len(c.phases)-1]
}

func (c *Clock) measured(p50 float64) {
	if p := c.last(); p != nil {
		p.P50 = p50
	}
}

// End ends the phase at hand.
func (c *Clock) End() {
	if p := c.last(); p != nil && p.Seconds == 0 {
		p.Seconds = c.now().Sub(p.began).Seconds()
	}
}

// Phases are those so far, in their order.
func (c *Clock) Phases() []*Phase { return c.phases }

// Timed tells whether a phase that was cut short says how long its units take.
func (p *Phase) Timed() bool { return len(p.laps) > 1 }

// units is how many were rehearsed.
func (p *Phase) units() int {
	if len(p.laps) == 0 {
		return 0
	}
	return p.laps[len(p.laps)-1].done
}

// each is how long a unit takes, of those after the first lap, which has what is done once, and of those behind one number up to
// another. known is false where nothing says it.
func (p *Phase) each(from, to int) (seconds float64, known bool) {
	begin, end := -1, -1
	for i, l := range p.laps {
		if l.done < from || l.done > to {
			continue
		}
		if begin < 0 {
			begin = i
		}
		end = i
	}
	if begin < 0 || p.laps[end].done == p.laps[begin].done {
		return 0, false
	}
	return (p.laps[end].at - p.laps[begin].at) / float64(p.laps[end].done-p.laps[begin].done), true
}

// With is how long the phase takes with so many units, of which the first so many are of another kind: a training's steps with
// temporary heads, for example. rehearsed says how many of the rehearsal's were of that kind.
func (p *Phase) With(units, first, rehearsed int) float64 {
	n := p.units()
	if n == 0 {
		return p.Seconds
	}
	late, known := p.each(max(rehearsed, 1), n)
	if !known { // a single lap: all of it is taken for the units' time
		return p.Seconds * float64(units) / float64(n)
	}
	early, known := p.each(1, rehearsed)
	if !known {
		early = late
	}
	fixed := p.Seconds - early*float64(rehearsed) - late*float64(n-rehearsed)
	return max(0, fixed) + early*float64(first) + late*float64(units-first)
}
