package nn

import (
	"errors"
	"fmt"
	"sort"
)

// Builder declares the parameters and axes of a network under a path of names.
type Builder struct {
	root  *root
	path  string
	tower string
	part  string
	stack *Axis
	layer int
}

// mostFaults is how many faults of a declaration are told.
const mostFaults = 20

type root struct {
	store     *Store
	structure *Structure
	facts     map[string]map[string]any // given, by layer
	known     map[string]bool           // axes and layers that were declared
	omit      map[string]bool
	faults    []error
}

// Omission is an axis that a dimension of a parameter fails to name: the fault that [Declare] can inject to prove that
// a wrong declaration is refused.
type Omission struct {
	Axis, Param string
	Dim         int
}

func (o Omission) key() string { return fmt.Sprintf("%s|%s|%d", o.Axis, o.Param, o.Dim) }

// Declare runs a network's declaration and gives its store. With a structure, axes have its sizes and layers its facts
// instead of the declared ones; every entry of it must fit. Omitted members, if any, are declared as plain numbers of
// the declared, uncut size.
func Declare(structure *Structure, declare func(b *Builder), omitted ...Omission) (*Store, error) {
	r := &root{store: &Store{byName: map[string]*Param{}}, structure: structure, facts: map[string]map[string]any{},
		known: map[string]bool{}, omit: map[string]bool{}}
	for _, o := range omitted {
		r.omit[o.key()] = true
	}
	if structure != nil {
		if structure.Version != StructureVersion {
			return nil, fmt.Errorf("nn: structure version %d, this program reads %d", structure.Version, StructureVersion)
		}
		for _, l := range structure.Layers {
			name, _ := l["name"].(string)
			r.facts[name] = l
		}
	}
	declare(&Builder{root: r})
	if structure != nil {
		var unknown []string
		for name := range structure.Axes {
			if !r.known[name] {
				unknown = append(unknown, "axis "+name)
			}
		}
		for name := range structure.Origins {
			if !r.known[name] {
				unknown = append(unknown, "origins of axis "+name)
			}
		}
		for name := range r.facts {
			if !r.known[name] {
				unknown = append(unknown, "layer "+name)
			}
		}
		sort.Strings(unknown)
		for _, u := range unknown {
			r.faults = append(r.faults, fmt.Errorf("the structure has %s, the network does not", u))
		}
	}
	if more := len(r.faults) - mostFaults; more > 0 {
		r.faults = append(r.faults[:mostFaults], fmt.Errorf("and %d more", more))
	}
	if len(r.faults) > 0 {
		return nil, fmt.Errorf("nn: %w", errors.Join(r.faults...))
	}
	return r.store, nil
}

// Sub is the builder under a longer path.
func (b *Builder) Sub(name string) *Builder {
	c := *b
	if c.path != "" {
		c.path += "."
	}
	c.path += name
	return &c
}

// Tower is the builder for a tower, whose parameters count to a part until Part changes it.
func (b *Builder) Tower(tower, part string) *Builder {
	c := *b
	c.tower, c.part = tower, part
	return &c
}

// Part is the builder for parameters that count to another part of the report.
func (b *Builder) Part(part string) *Builder {
	c := *b
	c.part = part
	return &c
}

// Axis declares an axis under the path. In a network that was pruned it has fewer units than declared here.
func (b *Builder) Axis(name string, kind Kind, units int) *Axis {
	a := b.axis(name, kind, units)
	if s := b.root.structure; s != nil {
		if _, ok := s.Axes[a.Name]; !ok {
			b.root.faults = append(b.root.faults, fmt.Errorf("the structure has no axis %s", a.Name))
		}
	}
	return a
}

// axis is Axis where the structure may leave it out.
func (b *Builder) axis(name string, kind Kind, units int) *Axis {
	a := &Axis{Name: b.Sub(name).path, Tower: b.tower, Kind: kind, units: units, declared: units, block: 1,
		stack: b.stack, layer: b.layer}
	r := b.root
	if r.known[a.Name] {
		r.faults = append(r.faults, fmt.Errorf("axis %s is declared twice", a.Name))
	}
	r.known[a.Name] = true
	if r.structure != nil {
		n, ok := r.structure.Axes[a.Name]
		switch {
		case !ok:
		case n < 1:
			r.faults = append(r.faults, fmt.Errorf("axis %s has %d units, at least 1 is needed", a.Name, n))
		case n > units: // a cut takes units away; a number of any size would take all memory
			r.faults = append(r.faults, fmt.Errorf("axis %s has %d units, the network that was cut had %d", a.Name, n, units))
		default:
			a.units = n
		}
	}
	r.store.axes = append(r.store.axes, a)
	return a
}

// Stack declares an axis of blocks whose parameters are called path.0.*, path.1.*, …
func (b *Builder) Stack(name string, units int) *Axis {
	a := b.Axis(name, Blocks, units)
	a.prefix = a.Name
	return a
}

// Layer is the builder of one block.
func (b *Builder) Layer(stack *Axis, unit int) *Builder {
	c := *b
	c.path = fmt.Sprintf("%s.%d", stack.prefix, unit)
	c.stack, c.layer = stack, unit
	b.root.known[c.path] = true
	store := b.root.store
	store.facts = append(store.facts, map[string]any{"name": c.path})
	store.layers = append(store.layers, layerOf{stack, unit})
	return &c
}

// Flag is a fact of the block under construction: the declared one, or the one that the structure keeps.
func (b *Builder) Flag(name string, declared bool) bool {
	v, ok := b.fact(name, declared).(bool)
	if !ok {
		b.root.faults = append(b.root.faults, fmt.Errorf("fact %s of %s is not true or false", name, b.path))
	}
	return v
}

// Number is a fact of the block under construction, such as its attention scale.
func (b *Builder) Number(name string, declared float64) float64 {
	v, ok := b.fact(name, declared).(float64)
	if !ok {
		b.root.faults = append(b.root.faults, fmt.Errorf("fact %s of %s is not a number", name, b.path))
	}
	return v
}

func (b *Builder) fact(name string, declared any) any {
	value := declared
	if given, ok := b.root.facts[b.path]; ok {
		if v, ok := given[name]; ok {
			value = v
		}
	}
	facts := b.root.store.facts
	facts[len(facts)-1][name] = value
	return value
}

// Param declares a parameter of the given dimensions.
func (b *Builder) Param(name string, init Init, dims ...Dim) *Param {
	p := &Param{Name: b.Sub(name).path, Dims: dims, Part: b.part, Tower: b.tower, init: init, stack: b.stack, layer: b.layer}
	r := b.root
	if r.store.byName[p.Name] != nil {
		r.faults = append(r.faults, fmt.Errorf("parameter %s is declared twice", p.Name))
	}
	for i, d := range dims {
		for _, a := range d.Axes() {
			if r.omit[Omission{a.Name, p.Name, i}.key()] {
				p.Dims[i] = d.without(a)
			}
		}
	}
	r.store.byName[p.Name] = p
	r.store.params = append(r.store.params, p)
	return p
}

// Buffer is Param for what is neither trained nor scored.
func (b *Builder) Buffer(name string, init Init, dims ...Dim) *Param {
	p := b.Param(name, init, dims...)
	p.Buffer = true
	return p
}
