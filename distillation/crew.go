package distillation

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"espalier/torch"
)

// Worker computes pieces of batches beside a training's own parameters: its parameters lie in the same memory as those, in the same order, and have
// gradients of their own.
type Worker struct {
	Params []*torch.Tensor
	Loss   LossAt
}

// crew is a training's own parameters and the workers beside them. Each computes on a thread of the system of its own, so that each keeps its
// memory there; one alone computes on the caller's.
type crew struct {
	workers []Worker // the training's own first
	jobs    []chan func()
	ended   sync.WaitGroup
}

// newCrew starts the workers' threads; each one's operations may use so many threads, 0 for as many as everywhere.
func newCrew(own Worker, beside []Worker, threads int) *crew {
	c := &crew{workers: append([]Worker{own}, beside...)}
	if len(beside) == 0 {
		return c
	}
	if threads == 0 {
		threads = torch.NumThreads()
	}
	for range c.workers {
		jobs := make(chan func())
		c.jobs = append(c.jobs, jobs)
		c.ended.Add(1)
		go func() {
			defer c.ended.Done()
			torch.WithThreads(threads, func() {
				for job := range jobs {
					job()
				}
			})
		}()
	}
	return c
}

// end waits for the threads' end.
func (c *crew) end() {
	for _, jobs := range c.jobs {
		close(jobs)
	}
	c.ended.Wait()
}

// learning lets the parameters of all ask for gradients, until again is called.
func (c *crew) learning() (again func()) {
	var asked []func()
	for _, w := range c.workers {
		for _, p := range w.Params {
			before := p.RequiresGrad()
			asked = append(asked, func() { p.SetRequiresGrad(before) })
			p.SetRequiresGrad(true)
		}
	}
	return func() {
		c.zeroGrad()
		for _, set := range asked {
			set()
		}
	}
}

func (c *crew) zeroGrad() {
	for _, w := range c.workers {
		for _, p := range w.Params {
			p.SetGrad(nil)
		}
	}
}

// backward adds up the gradients of a round of a batch's pieces, one for each worker, and gives the sum of their losses.
func (c *crew) backward(at At, scale float64, cast func(func())) (total float64, err error) {
	losses, errs, panics := make([]float64, len(c.workers)), make([]error, len(c.workers)), make([]any, len(c.workers))
	one := func(i int) {
		w, at := c.workers[i], at
		at.Piece, at.Pieces = at.Piece*len(c.workers)+i, at.Pieces*len(c.workers)
		losses[i], errs[i] = w.backward(at, scale, cast)
	}
	if len(c.jobs) == 0 {
		one(0)
		return losses[0], errs[0]
	}
	var done sync.WaitGroup
	for i, jobs := range c.jobs {
		done.Add(1)
		jobs <- func() {
			defer done.Done()
			defer func() {
				if r := recover(); r != nil {
					panics[i] = fmt.Sprintf("%v\n%s", r, debug.Stack())
				}
			}()
			one(i)
		}
	}
	done.Wait()
	for _, p := range panics {
		if p != nil {
			panic(p) // where the caller can hear it
		}
	}
	for _, l := range losses { // always in this order, for the sum's last bits
		total += l
	}
	return total, errors.Join(errs...)
}

func (w Worker) backward(at At, scale float64, cast func(func())) (loss float64, err error) {
	err = torch.Run(func(*torch.Scope) error {
		l, err := w.Loss(at, cast)
		if err != nil || l == nil { // nothing of the piece teaches
			return err
		}
		if scale != 1 {
			l = l.MulScalar(scale)
		}
		l.Backward()
		loss = l.Item()
		return nil
	})
	return loss, err
}

// gather adds the gradients of the workers to those of the training's own parameters, one worker after another, and gives the
// common norm of the sums.
func (c *crew) gather() (norm float64, err error) {
	var beside [][]*torch.Tensor
	for _, w := range c.workers[1:] {
		beside = append(beside, w.Params)
	}
	err = torch.Run(func(*torch.Scope) error {
		norm = torch.GatherGrads(c.workers[0].Params, beside...)
		return nil
	})
	return norm, err
}
