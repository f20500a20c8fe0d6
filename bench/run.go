package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
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
	All     bool // also other sizes and other peers, within the hour
}

const (
	patience = time.Minute
	fewest   = 3
)

// Run measures this program and PyTorch eager side by side. Both have the same weights, pictures and questions; when
// their results differ, the comparison is void and an error. Where PyTorch cannot be had, this program's times come
// alone, and a note says why.
func Run(ctx context.Context, o Options, events func(Event)) (*Report, error) {
	chosen, names := choose(parts(o.All, o.Device), o.Only)
	if len(chosen) == 0 {
		return nil, fault.Inputf("-only: no measure's name holds %q; there are: %s", o.Only, strings.Join(names, "; "))
	}
	runtime.LockOSThread() // scopes and autograd's modes belong to a thread
	defer runtime.UnlockOSThread()
	torch.SetNumThreads(o.Threads)
	r := &runner{Options: o, events: events, report: &Report{Machine: thisMachine(o.Threads)}}
	if load := r.report.Machine.Load; load > .5 {
		r.note(fmt.Sprintf("the machine is busy (load %.1f): the figures will scatter", load))
	}
	if err := r.findPython(ctx); err != nil {
		return nil, err
	}
	for _, p := range chosen {
		if err := r.part(ctx, p); err != nil {
			return nil, fmt.Errorf("bench: %w", err)
		}
	}
	return r.report, nil
}

// findPython finds the other side's interpreter, where there is another side.
func (r *runner) findPython(ctx context.Context) (err error) {
	if r.Device == torch.CPU {
		r.python, err = Python(ctx, func(text string) { r.events(Note{text}) })
	} else {
		r.python, err = pythonOn(ctx, r.Device)
	}
	if missing := (*noPeer)(nil); errors.As(err, &missing) {
		r.note(missing.Error() + "; this program's times come alone")
		return nil
	}
	return err
}

// choose leaves the measures whose names hold a text, and gives the names of all.
func choose(all []part, only string) (chosen []part, names []string) {
	for _, p := range all {
		var some []measure
		for _, m := range p.measures {
			names = append(names, m.name)
			if strings.Contains(m.name, only) {
				some = append(some, m)
			}
		}
		if p.measures = some; len(some) > 0 {
			chosen = append(chosen, p)
		}
	}
	return chosen, names
}

type runner struct {
	Options
	events func(Event)
	report *Report
	here   *here
	there  *process        // nil where there is none
	hub    *process        // transformers, once a measure asks for it
	python string          // "" where there is none
	folder string          // of the size at work
	needs  map[string]bool // of its measures
}

// part takes the measures of a size.
func (r *runner) part(ctx context.Context, p part) (err error) {
	r.folder, err = os.MkdirTemp("", "espalier-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(r.folder)
	if r.here, err = prepare(r.folder, p.size); err != nil {
		return err
	}
	defer r.close()
	if err := r.here.move(r.Device); err != nil {
		return err
	}
	r.needs = map[string]bool{}
	for _, m := range p.measures {
		r.needs[m.needs] = true
	}
	if r.python != "" {
		if err := r.call(ctx); err != nil {
			return err
		}
	}
	for _, m := range p.measures {
		if m.with == transformers && r.hub == nil && r.there != nil {
			err := r.callHub(ctx)
			if missing := (*noPeer)(nil); errors.As(err, &missing) {
				r.note(fmt.Sprintf("%s: not measured: %v", m.name, missing))
				continue
			}
			if err != nil {
				return err
			}
		}
		if err := r.measure(ctx, m); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

// start runs one of the peers' programs on the size at work.
func (r *runner) start(ctx context.Context, python, program string) (*process, *answer, error) {
	return start(ctx, python, program, r.folder, strconv.Itoa(r.Threads), r.Device.String())
}

func (r *runner) note(text string) {
	r.report.Notes = append(r.report.Notes, text)
	r.events(Note{text})
}

// drawNetwork makes a size's network and material.
func drawNetwork(s size) (*here, error) {
	m, err := drawMaterial(s)
	if err != nil {
		return nil, err
	}
	teacher, err := newTeacher(s)
	return &here{m, map[string]model.Network{"teacher": teacher}, torch.CPU}, err
}

// prepare makes the networks and the material of a size, and writes both into a folder for the peers.
func prepare(folder string, s size) (*here, error) {
	h, err := drawNetwork(s)
	if err != nil {
		return nil, err
	}
	if s.name == "" {
		if h.networks["student"], err = newStudent(h.networks["teacher"]); err != nil {
			return nil, err
		}
	}
	for name, n := range h.networks {
		if err := n.Save(filepath.Join(folder, name)); err != nil {
			return nil, err
		}
	}
	return h, errors.Join(h.write(folder), WritePeers(folder))
}

// call starts the peer and compares its results.
func (r *runner) call(ctx context.Context) error {
	p, ready, err := r.start(ctx, r.python, "peer.py")
	if err != nil {
		return err
	}
	r.there = p
	machine := &r.report.Machine
	machine.Python = fmt.Sprintf("%s, torch %s", ready.Python, ready.Torch)
	if machine.SameLibrary, err = sameAsLoaded(ready.Library); err != nil {
		return err
	}
	checks, err := r.compare(ctx)
	r.report.Checks = append(r.report.Checks, checks...)
	return err
}

// callHub starts transformers' side and compares its answers.
func (r *runner) callHub(ctx context.Context) error {
	python := r.python
	if r.Device == torch.CPU {
		var err error
		if python, err = withTransformers(ctx, func(text string) { r.events(Note{text}) }); err != nil {
			return err
		}
	}
	p, ready, err := r.start(ctx, python, "generate.py")
	if err != nil {
		return err
	}
	r.hub = p
	for _, batch := range []int{1, hubBatch} {
		c := Check{Name: r.here.measure(fmt.Sprintf("greedy answers of the teacher at batch %d and those of transformers %s", batch, ready.Hugging)), Allowed: r.here.ties(batch)}
		if c.Difference, err = r.otherAnswers(p, "teacher", 1, batch); err != nil {
			return err
		}
		r.report.Checks = append(r.report.Checks, c)
		if err := c.void(); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) close() {
	for _, p := range []*process{r.there, r.hub} {
		if p != nil {
			p.stop() // an error of its end comes too late to matter
		}
	}
	r.there, r.hub = nil, nil
	for _, n := range r.here.networks {
		n.Store().Free()
	}
}

// measure lets the two sides take turns. The first round warms up; who begins changes from round to round.
func (r *runner) measure(ctx context.Context, m measure) error {
	if m.threads > 0 {
		if err := r.useThreads(m.threads); err != nil {
			return err
		}
		defer r.useThreads(r.Threads)
	}
	most := r.Rounds
	if m.once {
		most = 0
	}
	var here, there, ratios []float64
	var begun time.Time // when the sides were warm
	rounds := 0
	for round := range most + 1 {
		if round == 1 {
			begun = time.Now()
		}
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
				b, err = r.ask(ctx, m, round)
				return err
			},
		}
		for i := range sides {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := sides[(i+round)%2](); err != nil {
				if m.with == compiled {
					r.note(fmt.Sprintf("%s: not measured: %v", m.name, err))
					return nil
				}
				return err
			}
		}
		if round == 0 && !m.once {
			continue
		}
		rounds++
		here = append(here, a...)
		if r.there != nil {
			there, ratios = append(there, b...), append(ratios, median(a)/median(b))
		}
	}
	row := Row{Name: m.name, With: m.with, Bytes: m.bytes, Here: quartiles(here), Target: m.target, Rounds: rounds, Times: m.times, Over: m.over}
	if m.of != nil {
		row.Of = m.of(r.here)
	}
	if m.work != nil {
		row.Work = m.work(r.here)
	}
	if r.there != nil {
		t, q := quartiles(there), quartiles(ratios)
		row.There, row.Ratio, row.Reached = &t, &q, q.Median <= m.target
	}
	r.report.Rows = append(r.report.Rows, row)
	r.events(Measured{row})
	return nil
}

// useThreads sets the threads of both sides.
func (r *runner) useThreads(n int) error {
	torch.SetNumThreads(n)
	if r.there == nil {
		return nil
	}
	_, err := r.there.ask(request{"do": "threads", "n": n})
	return err
}

func (r *runner) ask(ctx context.Context, m measure, round int) ([]float64, error) {
	if r.there == nil {
		return nil, nil
	}
	q := m.there(r.here, round)
	q["n"] = m.times
	p := r.there
	if m.with == transformers {
		p = r.hub
	}
	if m.once {
		fresh, _, err := r.start(ctx, r.python, "peer.py")
		if err != nil {
			return nil, err
		}
		defer fresh.stop()
		p = fresh
	}
	a, err := p.ask(q)
	if err != nil {
		return nil, err
	}
	if len(a.Seconds) != m.times {
		return nil, fmt.Errorf("the Python side gave %d times, %d were asked for", len(a.Seconds), m.times)
	}
	return a.Seconds, nil
}
