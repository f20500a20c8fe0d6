package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"espalier/model"
	"espalier/pipeline/fault"
	"espalier/torch"
)

// Options say how to measure.
type Options struct {
	Rounds  int    // of each measure; the two sides take turns. A measure that has taken longer than patience ends after fewest rounds
	Threads int    // of both sides
	Only    string // measures alone whose names hold this; empty: all
	Device  torch.Device
}

const (
	patience = time.Minute
	fewest   = 3
)

// Run measures this program and PyTorch eager side by side. Both have the same weights, pictures and questions; when
// their results differ, the comparison is void and an error. Where PyTorch cannot be had, this program's times come
// alone, and a note says why.
func Run(ctx context.Context, o Options, events func(Event)) (*Report, error) {
	var chosen []measure
	for _, m := range measures {
		if strings.Contains(m.name, o.Only) {
			chosen = append(chosen, m)
		}
	}
	if len(chosen) == 0 {
		return nil, fault.Inputf("-only: no measure's name holds %q; there are: %s", o.Only, strings.Join(names(), "; "))
	}
	runtime.LockOSThread() // scopes and autograd's modes belong to a thread
	defer runtime.UnlockOSThread()
	torch.SetNumThreads(o.Threads)
	r := &runner{Options: o, events: events, report: &Report{Machine: thisMachine(o.Threads)}}
	if load := r.report.Machine.Load; load > .5 {
		r.note(fmt.Sprintf("the machine is busy (load %.1f): the figures will scatter", load))
	}
	folder, err := os.MkdirTemp("", "espalier-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	if r.here, err = prepare(folder); err != nil {
		return nil, err
	}
	defer r.close()
	if o.Device != torch.CPU {
		if err := r.here.move(o.Device); err != nil {
			return nil, err
		}
		r.note(fmt.Sprintf("on %v there is no other side: this program's times come alone", o.Device))
	} else if err := r.call(ctx, folder); err != nil {
		var missing *noPeer
		if !errors.As(err, &missing) {
			return nil, err
		}
		r.note(missing.Error() + "; this program's times come alone")
	}
	for _, m := range chosen {
		if err := r.measure(ctx, m); err != nil {
			return nil, fmt.Errorf("bench: %s: %w", m.name, err)
		}
	}
	return r.report, nil
}

type runner struct {
	Options
	events func(Event)
	report *Report
	here   *here
	there  *process // nil where there is none
}

func (r *runner) note(text string) {
	r.report.Notes = append(r.report.Notes, text)
	r.events(Note{text})
}

// prepare makes the networks and the material, and writes both into a folder for the peer.
func prepare(folder string) (*here, error) {
	m, err := drawMaterial()
	if err != nil {
		return nil, err
	}
	teacher, err := newTeacher()
	if err != nil {
		return nil, err
	}
	student, err := newStudent(teacher)
	if err != nil {
		return nil, err
	}
	h := &here{m, map[string]model.Network{"teacher": teacher, "student": student}, torch.CPU}
	for name, n := range h.networks {
		if err := n.Save(filepath.Join(folder, name)); err != nil {
			return nil, err
		}
	}
	return h, errors.Join(m.write(folder), WritePeers(folder))
}

// call starts the peer and compares its results.
func (r *runner) call(ctx context.Context, folder string) error {
	python, err := Python(ctx, func(text string) { r.events(Note{text}) })
	if err != nil {
		return err
	}
	p, ready, err := start(ctx, python, folder, r.Threads)
	if err != nil {
		return err
	}
	r.there = p
	machine := &r.report.Machine
	machine.Python = fmt.Sprintf("%s, torch %s", ready.Python, ready.Torch)
	if machine.SameLibrary, err = sameAsLoaded(ready.Library); err != nil {
		return err
	}
	r.report.Checks, err = r.compare()
	return err
}

func (r *runner) close() {
	if r.there != nil {
		r.there.stop() // an error of its end comes too late to matter
	}
	for _, n := range r.here.networks {
		n.Store().Free()
	}
}

// measure lets the two sides take turns. The first round warms up; who begins changes from round to round.
func (r *runner) measure(ctx context.Context, m measure) error {
	var here, there, ratios []float64
	begun, rounds := time.Now(), 0
	for round := range r.Rounds + 1 {
		if round > fewest && time.Since(begun) > patience {
			break
		}
		var a, b []float64
		sides := []func() error{
			func() (err error) {
				a, err = m.here(r.here, m.times, round)
				return err
			},
			func() (err error) {
				b, err = r.ask(m, round)
				return err
			},
		}
		for i := range sides {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := sides[(i+round)%2](); err != nil {
				return err
			}
		}
		if round == 0 {
			continue
		}
		rounds++
		here = append(here, a...)
		if r.there != nil {
			there, ratios = append(there, b...), append(ratios, median(a)/median(b))
		}
	}
	row := Row{Name: m.name, Here: quartiles(here), Target: m.target, Rounds: rounds, Times: m.times}
	if r.there != nil {
		t, q := quartiles(there), quartiles(ratios)
		row.There, row.Ratio, row.Reached = &t, &q, q.Median <= m.target
	}
	r.report.Rows = append(r.report.Rows, row)
	r.events(Measured{row})
	return nil
}

func (r *runner) ask(m measure, round int) ([]float64, error) {
	if r.there == nil {
		return nil, nil
	}
	q := m.there(r.here, round)
	q["n"] = m.times
	a, err := r.there.ask(q)
	if err != nil {
		return nil, err
	}
	if len(a.Seconds) != m.times {
		return nil, fmt.Errorf("the Python side gave %d times, %d were asked for", len(a.Seconds), m.times)
	}
	return a.Seconds, nil
}
