package page

import (
	"fmt"
	"slices"

	"espalier/model"
	"espalier/pruning"
	"espalier/torch/nn"
)

// origins follow the teacher's units through a student's cuts, in which blocks are numbered anew and axes renamed with them.
type origins struct {
	n     model.Network      // the student so far, without values
	axes  map[string]origin  // by the student's axis
	cutIn map[blockOf]string // in which stage a block of the teacher went
	left  map[string][]int   // the teacher's units that are left, by the teacher's axis, once all cuts were followed
	sizes map[string][2]int  // units in each head, before and after, by the teacher's axis
}

// origin is what an axis of the student was in the teacher.
type origin struct {
	axis  string
	units []int
}

// blockOf is a block of the teacher, by its stack's axis.
type blockOf struct {
	stack string
	block int
}

func newOrigins(teacher model.Network) *origins {
	o := &origins{n: teacher, axes: map[string]origin{}, cutIn: map[blockOf]string{}}
	for _, a := range teacher.Store().Axes() {
		units := make([]int, a.Units())
		for i := range units {
			units[i] = i
		}
		o.axes[a.Name] = origin{a.Name, units}
	}
	return o
}

// cut follows a cut of a stage.
func (o *origins) cut(stage string, keep map[string][]int) error {
	next, err := pruning.Declare(o.n, pruning.Plan{Keep: keep})
	if err != nil {
		return err
	}
	axes := map[string]origin{}
	for _, a := range o.n.Store().Axes() {
		was := o.axes[a.Name]
		kept, cut := keep[a.Name]
		if cut {
			if a.Kind == nn.Blocks {
				for i, unit := range was.units {
					if !slices.Contains(kept, i) {
						o.cutIn[blockOf{was.axis, unit}] = stage
					}
				}
			}
			units := make([]int, len(kept))
			for i, unit := range kept {
				units[i] = was.units[unit]
			}
			was.units = units
		}
		name, stays := renamed(o.n, next, a, keep)
		if !stays {
			continue
		}
		if name == "" {
			return fmt.Errorf("the axis %s has no place in the network after the cut", a.Name)
		}
		axes[name] = was
	}
	o.n, o.axes = next, axes
	return nil
}

// renamed is the name of an axis after a cut. An axis of a block has the name that the block's new number gives it; it is the same one of the
// block's axes of its kind.
func renamed(before, after model.Network, a *nn.Axis, keep map[string][]int) (name string, stays bool) {
	stack, layer := a.Layer()
	if stack == nil {
		return a.Name, true
	}
	if kept, cut := keep[stack.Name]; cut {
		if layer = slices.Index(kept, layer); layer < 0 {
			return "", false
		}
	}
	at, same := slices.Index(ofLayer(before, a), a), 0
	for _, b := range after.Store().Axes() {
		if s, l := b.Layer(); s != nil && s.Name == stack.Name && l == layer && b.Kind == a.Kind {
			if same == at {
				return b.Name, true
			}
			same++
		}
	}
	return "", true
}

// ofLayer lists the axes of an axis' block that are of its kind.
func ofLayer(n model.Network, a *nn.Axis) (out []*nn.Axis) {
	stack, layer := a.Layer()
	for _, b := range n.Store().Axes() {
		if s, l := b.Layer(); s == stack && l == layer && b.Kind == a.Kind {
			out = append(out, b)
		}
	}
	return out
}

// finish takes stock after the last cut.
func (o *origins) finish(teacher model.Network) {
	o.left, o.sizes = map[string][]int{}, map[string][2]int{}
	for _, a := range o.n.Store().Axes() {
		was := o.axes[a.Name]
		o.left[was.axis] = was.units
		if a.Kind == nn.KeySize || a.Kind == nn.ValueSize {
			o.sizes[was.axis] = [2]int{teacher.Store().Axis(was.axis).Each(), a.Each()}
		}
	}
}
