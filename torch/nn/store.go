package nn

import (
	"fmt"
	"slices"

	"espalier/torch"
)

// Param is a parameter or buffer of a network.
type Param struct {
	Name  string
	Dims  []Dim
	Part  string        // what it counts to: "vision", "qformer", "projection", "language_blocks", "embeddings"
	Tower string        // "vision", "qformer" or "language"
	Value *torch.Tensor // nil until it is initialised or loaded
	// Buffer tells that it is no weight, such as the running mean of a batch norm: it is cut and saved with the others,
	// but neither trained nor scored.
	Buffer bool
	// Int8 tells that its rows are whole multiples of their scales, and that it is held as these in a file ([torch.Tensor.ToInt8]).
	Int8 bool

	init    Init
	stack   *Axis // the blocks that it belongs to, or nil
	layer   int   // which of them
	shared  bool  // another network has the same memory
	compute *torch.DType
}

// Shape follows from the axes.
func (p *Param) Shape() []int {
	shape := make([]int, len(p.Dims))
	for i, d := range p.Dims {
		shape[i] = d.Size()
	}
	return shape
}

// Count is the number of elements.
func (p *Param) Count() int {
	n := 1
	for _, d := range p.Dims {
		n *= d.Size()
	}
	return n
}

// Bytes is the size of the value, as a file holds it.
func (p *Param) Bytes() int {
	if p.Int8 {
		return p.Count() + 4*torch.Int8Rows(p.Shape())
	}
	return p.T().Bytes()
}

// CountWith is the number of elements that there would be if some axes had other numbers of units; of an axis of blocks the
// first ones stay.
func (p *Param) CountWith(units map[*Axis]int) int {
	if blocks, ok := units[p.stack]; ok && p.stack != nil && p.layer >= blocks {
		return 0
	}
	n := 1
	for _, d := range p.Dims {
		n *= d.SizeWith(units)
	}
	return n
}

// Layer is the axis of blocks and the block that p belongs to; nil when it belongs to none.
func (p *Param) Layer() (stack *Axis, unit int) { return p.stack, p.layer }

// T is the value, for use in a forward; under [Store.ComputeIn] in another dtype.
func (p *Param) T() *torch.Tensor {
	if p == nil {
		return nil
	}
	if p.Value == nil {
		panic(&torch.Error{Op: "parameter", Kind: torch.KindMisuse, Message: p.Name + " has no value: initialise or load the network first"})
	}
	if p.compute != nil && p.Value.DType() != *p.compute {
		return p.Value.To(*p.compute)
	}
	return p.Value
}

// DType is that of T.
func (p *Param) DType() torch.DType {
	if p.compute != nil {
		return *p.compute
	}
	return p.T().DType()
}

// Store holds the parameters and axes of a network in the order of their declaration.
type Store struct {
	params []*Param
	byName map[string]*Param
	axes   []*Axis
	facts  []map[string]any // of each block
	layers []layerOf        // which block the facts are of
	onFree func()
}

type layerOf struct {
	stack *Axis
	unit  int
}

// Params are the parameters in the order of declaration.
func (s *Store) Params() []*Param { return s.params }

// Param is the parameter of a name, or nil.
func (s *Store) Param(name string) *Param { return s.byName[name] }

// Axes are the axes in the order of declaration.
func (s *Store) Axes() []*Axis { return s.axes }

// Axis is the axis of a name, or nil.
func (s *Store) Axis(name string) *Axis {
	for _, a := range s.axes {
		if a.Name == name {
			return a
		}
	}
	return nil
}

// Sizes are the units of each axis, of one head where they lie inside heads ([Axis.Each]).
func (s *Store) Sizes() map[string]int {
	sizes := make(map[string]int, len(s.axes))
	for _, a := range s.axes {
		sizes[a.Name] = a.Each()
	}
	return sizes
}

// Members are the parameters of which a dimension contains the axis.
func (s *Store) Members(a *Axis) []Member {
	var out []Member
	for _, p := range s.params {
		for d, dim := range p.Dims {
			if contains(dim.Axes(), a) {
				out = append(out, Member{Param: p, Dim: d})
			}
		}
	}
	return out
}

// Member is one dimension of a parameter that an axis is part of.
type Member struct {
	Param *Param
	Dim   int
}

func (m Member) String() string { return fmt.Sprintf("%s (dimension %d)", m.Param.Name, m.Dim) }

// Trains tells whether p is trained while the named towers and parts are frozen: "vision", "language", "embeddings", ….
func (p *Param) Trains(frozen ...string) bool {
	return !p.Buffer && !slices.Contains(frozen, p.Tower) && !slices.Contains(frozen, p.Part)
}

// Tensors are the values of the parameters that are trained while some towers and parts are frozen.
func (s *Store) Tensors(frozen ...string) []*torch.Tensor {
	var out []*torch.Tensor
	for _, p := range s.params {
		if p.Trains(frozen...) {
			out = append(out, p.T())
		}
	}
	return out
}

// Named are the values by name, as a checkpoint holds them.
func (s *Store) Named() map[string]*torch.Tensor {
	out := make(map[string]*torch.Tensor, len(s.params))
	for _, p := range s.params {
		out[p.Name] = p.T()
	}
	return out
}

// Count is the number of elements of all parameters.
func (s *Store) Count() int {
	n := 0
	for _, p := range s.params {
		n += p.Count()
	}
	return n
}

// CountByPart is Count for each part.
func (s *Store) CountByPart() map[string]int {
	out := map[string]int{}
	for _, p := range s.params {
		out[p.Part] += p.Count()
	}
	return out
}

// Bytes is the size of all values, as a file holds them.
func (s *Store) Bytes() int {
	n := 0
	for _, p := range s.params {
		n += p.Bytes()
	}
	return n
}

// SetRequiresGrad asks for gradients of every parameter but those of the frozen towers and parts, or of none.
func (s *Store) SetRequiresGrad(on bool, frozen ...string) {
	for _, p := range s.params {
		p.T().SetRequiresGrad(false)
	}
	if on {
		for _, t := range s.Tensors(frozen...) {
			t.SetRequiresGrad(true)
		}
	}
}

// Learns tells whether a gradient is asked for of anything in a tower: a parameter or a gate.
func (s *Store) Learns(tower string) bool {
	for _, p := range s.params {
		if p.Tower == tower && p.Value.RequiresGrad() {
			return true
		}
	}
	for _, a := range s.axes {
		if a.Tower == tower && a.Gate != nil && a.Gate.RequiresGrad() {
			return true
		}
	}
	return false
}

// SetGates sets the gate of every named axis and takes the others away.
func (s *Store) SetGates(gates map[string]*torch.Tensor) {
	for _, a := range s.axes {
		a.Gate = gates[a.Name]
	}
}

// Free frees every value.
func (s *Store) Free() { s.FreeBut() }

// OnFree has a function called whenever values are freed: for memory that is made of them, of which Go's collector sees nothing.
func (s *Store) OnFree(f func()) { s.onFree = f }

// FreeBut frees every value but those of some parameters.
func (s *Store) FreeBut(kept ...*Param) {
	if s.onFree != nil {
		s.onFree()
	}
	for _, p := range s.params {
		if !slices.Contains(kept, p) {
			p.Value.Free()
			p.Value = nil
		}
	}
}

// Set takes over a value of the right shape.
func (p *Param) Set(v *torch.Tensor) { p.Value, p.shared = v.Release().Named(p.Name), false }

// Share takes over a value whose memory belongs to another network as well.
func (p *Param) Share(v *torch.Tensor) {
	p.Set(v)
	p.shared = true
}

// Share lets each parameter have the memory of that of another store of the same declaration.
func (s *Store) Share(with *Store) error {
	return torch.Run(func(*torch.Scope) error {
		for i, p := range s.params {
			p.Share(with.params[i].T().Detach())
		}
		return nil
	})
}

// Own makes the network ready to be trained: it copies what it shares with another, and holds it in d. AdamW's steps are
// smaller than a half-precision weight can take up. What is frozen stays as it is, shared or not.
func (s *Store) Own(d torch.DType, frozen ...string) error {
	return torch.Run(func(*torch.Scope) error {
		for _, p := range s.params {
			if !p.Buffer && !p.Trains(frozen...) {
				continue
			}
			p.Int8 = false // its values will leave their grid
			if old := p.Value; p.shared || old.DType() != d {
				own := old.Detach().To(d)
				if old.DType() == d {
					own = own.Clone()
				}
				p.Set(own)
				old.Free()
			}
		}
		return nil
	})
}

// ComputeIn lets forwards see the floats in another dtype until the function that it gives is called: all of them, or those
// that are held in one of some dtypes. Each use converts, in the scope of its block: a large network is never there twice.
func (s *Store) ComputeIn(d torch.DType, held ...torch.DType) (restore func()) {
	for _, p := range s.params {
		if len(held) == 0 || slices.Contains(held, p.Value.DType()) {
			p.compute = &d
		}
	}
	return func() {
		for _, p := range s.params {
			p.compute = nil
		}
	}
}

func equal(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
