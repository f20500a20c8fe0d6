package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"espalier/pipeline/event"
)

// The rest of the run is reckoned from what its work costs, and what work of its kind, or else the nearest, has taken so far.
func TestTimeLeftInAll(t *testing.T) {
	d, out, now := clocked()
	d.event(event.Outline{Work: []event.Work{
		{Stage: "teacher", Phase: "train", Detail: "learn", Times: 1, Group: 1, Weight: 100},
		{Stage: "teacher", Phase: "measure", Detail: "on test", Times: 1, Group: 2, Weight: 10},
		{Stage: "blocks", Phase: "score", Detail: "candidate ", Times: 2, Group: 3, Weight: 5},
		{Stage: "blocks", Phase: "distil round 1", Times: 1, Group: 3, Weight: 20},
		{Stage: "blocks", Phase: "distil", Detail: "cut 1/1", Times: 1, Group: 4, Weight: 50},
	}})
	left := func() string {
		_, run := d.phase.remaining(*now)
		return run
	}
	train := event.Phase{Stage: "teacher", Name: "train", Detail: "learn"}
	d.event(train)
	assert.Empty(t, left(), "nothing is known yet")
	step := func(done, total int, seconds int) {
		*now = now.Add(time.Duration(seconds) * time.Second)
		d.event(event.Progress{Done: done, Total: total, Unit: "steps"})
	}
	step(0, 100, 1)
	step(50, 100, 50) // one a second, and of weight one each: 50 more, and 90 behind it
	assert.Equal(t, "all ~2 min 20 s", left())
	assert.Contains(t, d.phase.status(*now), "50/100 steps · 50 s left, all ~2 min 20 s")
	step(100, 100, 50)

	d.event(event.Phase{Stage: "teacher", Name: "measure", Detail: "on test"})
	*now = now.Add(4 * time.Second) // 6 s more by the pace of the training, and 80 behind it
	assert.Equal(t, "all ~1 min 26 s", left())
	*now = now.Add(16 * time.Second) // it is slower
	assert.Equal(t, "all ~1 min 20 s", left(), "the phase cannot take less than nothing")

	d.event(event.Phase{Stage: "blocks", Name: "score", Detail: "candidate b"})
	d.event(event.Phase{Stage: "blocks", Name: "distil", Detail: "cut 2/4, more cuts"})
	assert.Empty(t, left(), "a further try was not foreseen")
	d.event(event.Phase{Stage: "blocks", Name: "distil round 1", Detail: "candidate a"})
	step(0, 10, 0)
	step(5, 10, 20) // two seconds each of weight one: 20 more, then 100 for the last; the second score may come yet
	_, run := d.phase.remaining(*now)
	assert.Regexp(t, "^all ~2 min 0. s$", run)
	d.event(event.Phase{Stage: "blocks", Name: "distil", Detail: "cut 1/1"})
	step(0, 10, 0)
	step(5, 10, 20)
	phase, run := d.phase.remaining(*now)
	assert.Equal(t, "20 s left", phase)
	assert.Empty(t, run, "it is the last")
	d.close()
	assert.NotEmpty(t, out.String())
}

// Work that is found, and so has no phase, is over when what comes after it begins.
func TestFoundWorkIsOver(t *testing.T) {
	c := course{work: []event.Work{{Stage: "a", Phase: "distil", Times: 1, Group: 1, Weight: 1000}, {Stage: "b", Phase: "distil", Times: 1, Group: 2, Weight: 10}, {Stage: "c", Phase: "measure", Times: 2, Group: 3, Weight: 5}}}
	r := c.begin(event.Phase{Stage: "b", Name: "distil"})
	assert.Equal(t, map[string]float64{"measure": 10}, r.after)
	c.end(event.Phase{Stage: "b", Name: "distil"}, 5, .5) // half of it was there
	assert.Equal(t, pace{5, 5}, c.paces["distil"])
	assert.Nil(t, c.begin(event.Phase{Stage: "a", Name: "distil"}), "it does not come back")
	r = c.begin(event.Phase{Stage: "c", Name: "measure"})
	seconds, known := r.left(2, 0, -1)
	assert.True(t, known)
	assert.Equal(t, 8., seconds)
}

// Where a terminal is narrow, what matters least gives way.
func TestBesideABar(t *testing.T) {
	loss := .5
	k := tracker{phase: event.Phase{Stage: "hidden", Name: "distil"}, began: start, rest: &rest{kind: "distil", weight: 1, after: map[string]float64{"measure": 4}}}
	k.progress(event.Progress{Done: 0, Total: 100, Unit: "steps", Loss: &loss}, start)
	k.progress(event.Progress{Done: 50, Total: 100, Unit: "steps", Loss: &loss}, start.Add(10*time.Second))
	now := start.Add(10 * time.Second)
	for room, want := range map[int]string{
		80: "  50/100 steps · loss 0.5000 · 10 s left, all ~1 min 30 s", 53: "  50/100 steps · 10 s left, all ~1 min 30 s", 38: "  10 s left, all ~1 min 30 s",
		25: "  10 s left", 12: " 10 s left", 0: " 10 s left",
	} {
		assert.Equal(t, want, k.beside(now, room), room)
	}
}
