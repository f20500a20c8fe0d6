//go:build cgotorch

package main

import (
	"encoding/gob"
	"errors"
	"fmt"
	"os"
	"runtime"

	theirs "github.com/wangkuiyi/gotorch"
	F "github.com/wangkuiyi/gotorch/nn/functional"
	"github.com/wangkuiyi/gotorch/nn/initializer"

	"espalier/pruning"
	"espalier/torch"
	"espalier/torch/checkpoint"
	"espalier/torch/gotorch"
	"espalier/torch/nn"
)

const batch = 64

// run is the example from the first step to the last.
func run(o options) (f figures, err error) {
	initializer.ManualSeed(int64(o.seed))
	net := newNet(full)
	if err := train(net, newSource(o.seed, 1), o.steps, .05); err != nil {
		return f, err
	}
	store, err := adopt(net)
	if err != nil {
		return f, err
	}
	if err := f.add("trained by gotorch", net, store, o.seed); err != nil {
		return f, err
	}
	for _, criterion := range []string{"random", "taylor"} {
		plan, err := halve(net, store, criterion, o.seed)
		if err != nil {
			return f, err
		}
		cut, err := pruning.Slice(store, plan, declare)
		if err != nil {
			return f, err
		}
		small, err := built(cut)
		if err != nil {
			return f, err
		}
		diff, err := prove(net, small, store, cut, plan, o.seed)
		if err != nil {
			return f, err
		}
		f.diff = max(f.diff, diff)
		if err := f.add("half of the units, by "+criterion, small, cut, o.seed); err != nil {
			return f, err
		}
		if criterion == "random" {
			continue
		}
		if err := finish(o, &f, cut); err != nil {
			return f, err
		}
	}
	return f, nil
}

// train is a loop as gotorch's own examples have it.
func train(n *Net, from source, steps int, rate float64) error {
	optimizer := theirs.SGD(rate, .9, 0, 1e-4, false)
	optimizer.AddParameters(n.Parameters())
	n.Train(true)
	defer n.Train(false)
	for i := range steps {
		err := torch.Run(func(*torch.Scope) error {
			pictures, labels := from.draw(batch)
			x, y := gotorch.To(pictures), gotorch.To(labels)
			optimizer.ZeroGrad()
			loss := F.CrossEntropy(n.Forward(x), y, theirs.Tensor{}, -100, "mean")
			loss.Backward()
			optimizer.Step()
			runtime.KeepAlive(loss)
			return nil
		})
		if err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
		if i%20 == 0 {
			runtime.GC() // frees gotorch's tensors
		}
	}
	optimizer.ZeroGrad()
	return nil
}

// halve scores the units by the network's own gradients and keeps the better half of each axis.
func halve(n *Net, s *nn.Store, criterion string, seed uint64) (pruning.Plan, error) {
	plan, r := pruning.Plan{Keep: map[string][]int{}}, newSource(seed, 2)
	scores, err := pruning.Score(s, criterion, s.Axes(), pruning.Objective{Batches: 20, Seed: seed, Loss: func(int) (*torch.Tensor, error) {
		pictures, labels := r.draw(batch)
		return n.logits(pictures).CrossEntropy(labels), nil
	}})
	if err != nil {
		return plan, err
	}
	for _, a := range s.Axes() {
		if plan.Keep[a.Name], err = pruning.Choose(a, scores[a.Name], a.Units()/2); err != nil {
			return plan, err
		}
	}
	return plan, nil
}

// prove compares the cut module with the gated original in float64.
func prove(before, after *Net, s, cut *nn.Store, plan pruning.Plan, seed uint64) (float64, error) {
	cpu := theirs.NewDevice("cpu")
	for _, n := range []*Net{before, after} {
		n.To(cpu, theirs.Double)
		defer n.To(cpu, theirs.Float)
	}
	var diff float64
	err := torch.Run(func(*torch.Scope) (err error) {
		pictures, _ := newSource(seed, 3).draw(batch)
		x := pictures.To(torch.Float64)
		diff, err = pruning.Prove(s, cut, plan, func() *torch.Tensor { return before.logits(x) }, func() *torch.Tensor { return after.logits(x) })
		return err
	})
	return diff, err
}

// add measures a network on pictures that none was trained on.
func (f *figures) add(name string, n *Net, s *nn.Store, seed uint64) error {
	r, right, batches := newSource(seed, 4), 0., 32
	n.Train(false)
	for range batches {
		err := torch.Run(func(*torch.Scope) error {
			torch.NoGrad(func() {
				pictures, labels := r.draw(batch)
				right += n.logits(pictures).ArgMax(-1).Eq(labels).To(torch.Float64).Mean().Item()
			})
			return nil
		})
		if err != nil {
			return err
		}
	}
	runtime.GC()
	f.rows = append(f.rows, row{name, s.Count(), right / float64(batches)})
	return nil
}

// finish trains what is left, saves it and has gotorch read it back.
func finish(o options, f *figures, s *nn.Store) error {
	if err := s.Own(torch.Float32); err != nil { // what was not cut is still shared with the original
		return err
	}
	n, err := built(s)
	if err != nil {
		return err
	}
	if err := train(n, newSource(o.seed, 5), o.more, .02); err != nil {
		return err
	}
	if err := f.add(fmt.Sprintf("the latter after %d more steps", o.more), n, s, o.seed); err != nil {
		return err
	}
	if err := checkpoint.WriteGob(o.out, s.Named()); err != nil {
		return err
	}
	file, err := os.Open(o.out)
	if err != nil {
		return err
	}
	defer file.Close()
	state := map[string]theirs.Tensor{}
	if err := gob.NewDecoder(file).Decode(&state); err != nil {
		return fmt.Errorf("%s: %w", o.out, err)
	}
	f.tensors = len(state)
	var units sizes
	for i, a := range s.Axes() {
		units[i] = a.Units()
	}
	again := newNet(units)
	if err := again.SetStateDict(state); err != nil {
		return fmt.Errorf("%s: %w", o.out, err)
	}
	again.Train(false)
	return torch.Run(func(*torch.Scope) error {
		pictures, _ := newSource(o.seed, 6).draw(batch)
		if !theirs.Equal(n.Forward(gotorch.To(pictures)), again.Forward(gotorch.To(pictures))) {
			return errors.New("the network that gotorch read back has other logits")
		}
		return nil
	})
}
