package energy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"espalier/pipeline/report"
)

// Plan is how a measurement goes.
type Plan struct {
	Trials int
	Window time.Duration // of each network, and of the idle machine, in each trial

	Batch, Threads int // of the networks' answers, for the report
}

// Network is something that answers.
type Network struct {
	Name   string
	Answer func(ctx context.Context) (answers int, err error) // some questions at once
}

// Taken is what a measurement found. Where nothing counts joules (Basis is estimated), CPU seconds stand in their place and CPUs in the
// place of watts, until [Taken.Joules] turns them into joules with a stated power.
type Taken struct {
	Basis    report.Basis // empty: the machine tells nothing of the joules
	Sources  []string
	Networks []report.NetworkJoules
	Idle     report.Spread
	Plan     Plan
	Device   string
	Notes    []string
}

// window is what one window of a trial found.
type window struct {
	seconds, joules, cpu float64
	answers              int
}

// Measure lets the networks and the idle machine take turns, so that what else happens on the machine meets all of them; who begins
// changes from trial to trial.
func Measure(ctx context.Context, m Machine, p Plan, networks []Network) (Taken, error) {
	t := Taken{Basis: m.basis(), Notes: m.Notes, Plan: p, Device: m.Name}
	if t.Basis == "" {
		return t, nil
	}
	for _, n := range networks { // the first answer fills caches
		if _, err := n.Answer(ctx); err != nil {
			return t, err
		}
	}
	var idle []window
	busy := make([][]window, len(networks))
	for trial := range p.Trials {
		w, err := m.watch(ctx, p.Window, func(context.Context) (int, error) { return 0, m.Clock.Sleep(ctx, p.Window) })
		if err != nil {
			return t, err
		}
		idle = append(idle, w)
		for i := range networks {
			at := (i + trial) % len(networks)
			if w, err = m.watch(ctx, p.Window, networks[at].Answer); err != nil {
				return t, err
			}
			busy[at] = append(busy[at], w)
		}
	}
	joules := func(w window) float64 { return w.joules }
	for _, s := range m.Counters {
		t.Sources = append(t.Sources, s.Name())
	}
	if t.Basis == report.Measured && slices.ContainsFunc(slices.Concat(busy...), func(w window) bool { return w.joules <= 0 }) {
		// Some virtual machines show counters that do not move.
		t.Notes = append(t.Notes, fmt.Sprintf("energy: the counters %v stand still", t.Sources))
		if t.Basis, t.Sources = report.Estimated, nil; m.Device.IsCUDA() {
			t.Basis = ""
			return t, nil
		}
		t.Notes = append(t.Notes, "energy: the joules are ESTIMATED from CPU time and a stated power of a core")
	}
	if t.Basis == report.Estimated {
		joules = func(w window) float64 { return w.cpu }
	}
	t.Idle = spread(idle, func(w window, _ int) float64 { return joules(w) / w.seconds })
	for i, n := range networks {
		t.Networks = append(t.Networks, report.NetworkJoules{Name: n.Name,
			Gross: spread(busy[i], func(w window, _ int) float64 { return joules(w) / float64(w.answers) }),
			Net: spread(busy[i], func(w window, trial int) float64 {
				return (joules(w) - joules(idle[trial])/idle[trial].seconds*w.seconds) / float64(w.answers)
			}),
			AnswersPerS: spread(busy[i], func(w window, _ int) float64 { return float64(w.answers) / w.seconds }).Median,
		})
	}
	return t, nil
}

// watch lets something work for a window, and for the whole of what it has begun. The counters are read after each piece of work: they
// begin anew every few minutes.
func (m Machine) watch(ctx context.Context, d time.Duration, work func(ctx context.Context) (int, error)) (w window, err error) {
	joules, cpu, err := m.read()
	if err != nil {
		return w, err
	}
	before := window{joules: joules, cpu: cpu}
	for begun := m.Clock.Now(); w.seconds < d.Seconds(); {
		if ctx.Err() != nil {
			return w, context.Cause(ctx)
		}
		answers, err := work(ctx)
		if err != nil {
			return w, err
		}
		w.answers += answers
		if w.joules, w.cpu, err = m.read(); err != nil {
			return w, err
		}
		w.seconds = m.Clock.Now().Sub(begun).Seconds()
	}
	w.joules -= before.joules
	w.cpu -= before.cpu
	return w, nil
}

// read sums up the counters.
func (m Machine) read() (joules, cpu float64, err error) {
	for _, s := range m.Counters {
		j, e := s.Joules()
		joules, err = joules+j, errors.Join(err, e)
	}
	cpu, e := m.CPUTime()
	return joules, cpu, errors.Join(err, e)
}

// spread is that of the trials.
func spread(trials []window, of func(w window, trial int) float64) report.Spread {
	values := make([]float64, len(trials))
	for i, w := range trials {
		values[i] = of(w, i)
	}
	slices.Sort(values)
	n := len(values)
	return report.Spread{Median: (values[(n-1)/2] + values[n/2]) / 2, Low: values[0], High: values[n-1]}
}

// Joules are those of the report: where they are estimated, CPU time at a stated power.
func (t Taken) Joules(watts report.Input) *report.Joules {
	if t.Basis == "" {
		return nil
	}
	j := &report.Joules{Basis: t.Basis, Sources: t.Sources, Idle: t.Idle, Trials: t.Plan.Trials, Window: t.Plan.Window.Seconds(),
		Batch: t.Plan.Batch, Threads: t.Plan.Threads, Device: t.Device}
	factor := 1.
	if t.Basis == report.Estimated {
		factor = watts.Base
		j.Sources = []string{fmt.Sprintf("CPU time of this process × %g W a busy core (%g to %g)", watts.Base, watts.Low, watts.High)}
		j.Idle = j.Idle.Times(factor)
	}
	for _, n := range t.Networks {
		n.Gross, n.Net = n.Gross.Times(factor), n.Net.Times(factor)
		j.Networks = append(j.Networks, n)
	}
	return j
}
