// Package nn declares networks: each dimension is an axis that is declared once, and from it come the checkpoint's
// names, the shapes and the pruning groups.
package nn

import (
	"fmt"

	"espalier/torch"
)

// Kind says what the units of an axis are.
type Kind string

// The kinds of axis.
const (
	Hidden     Kind = "hidden"     // the residual width of a tower
	Heads      Kind = "heads"      // attention heads of one attention
	FFN        Kind = "ffn"        // hidden units of one feed-forward network
	Blocks     Kind = "blocks"     // whole transformer blocks of a tower
	Queries    Kind = "queries"    // query tokens of the Q-Former
	Vocabulary Kind = "vocabulary" // tokens that can be read and written
	Embeddings Kind = "embeddings" // width of token embeddings, where it is not the residual width
	Channels   Kind = "channels"   // of a convolution
)

// Axis is a dimension of a network, counted in units that are kept or cut as a whole.
type Axis struct {
	Name  string // "vision_model.encoder.layers.0.heads"
	Tower string // "vision", "qformer" or "language"
	Kind  Kind
	// Gate, when set, multiplies the activations of each unit at the gate points of the forward: [units], or
	// [batch, units] for one gate a picture. It is how a cut is tried out, scored and proved.
	Gate *torch.Tensor
	// Observe, when set on an axis of blocks, sees the input and output [batch, tokens, width] of each block.
	Observe func(block int, in, out *torch.Tensor)

	units    int
	declared int // units before any cut
	block    int
	groups   []int
	even     bool   // every rank group keeps as many units
	prefix   string // of the parameters' names, for an axis of blocks: unit i owns prefix.i.*
	stack    *Axis  // the blocks that the axis belongs to, or nil
	layer    int    // which of them
}

// Units is the number of units.
func (a *Axis) Units() int { return a.units }

// Block is the number of elements of one unit: the head size for heads, else 1.
func (a *Axis) Block() int { return a.block }

// Blocks sets the number of elements of one unit and returns a.
func (a *Axis) Blocks(elements int) *Axis {
	a.block = elements
	return a
}

// Size is the number of elements of all units.
func (a *Axis) Size() int { return a.units * a.block }

// SetGroup puts a unit into a rank group: units are ranked only within their group, and all groups are cut alike.
func (a *Axis) SetGroup(unit, group int) {
	if a.groups == nil {
		a.groups = make([]int, a.units)
	}
	a.groups[unit] = group
}

// SetEvenGroups puts neighbouring units into rank groups of the same size, which must stay of the same size: query heads
// inside their key-value group.
func (a *Axis) SetEvenGroups(groups int) {
	a.even = true
	for i := range a.units {
		a.SetGroup(i, i*groups/a.units)
	}
}

// Multiple is what the number of kept units must be a multiple of: the number of even groups, else 1.
func (a *Axis) Multiple() int {
	if !a.even {
		return 1
	}
	return a.groups[a.units-1] + 1
}

// Layer is the axis of blocks and the block that a belongs to; nil when it belongs to none.
func (a *Axis) Layer() (stack *Axis, unit int) { return a.stack, a.layer }

// Groups is the rank group of each unit; nil means that all are ranked together.
func (a *Axis) Groups() []int { return a.groups }

// Dim is the axis as a dimension of a parameter.
func (a *Axis) Dim() Dim { return Mul(a, a.block) }

// Times is n copies of the axis one behind the other, such as the fused rows of query, key and value.
func (a *Axis) Times(n int) Dim { return Mul(n, a, a.block) }

// Gated multiplies x [batch, tokens, size of the axis] by the gate: a gate point of the forward.
func (a *Axis) Gated(x *torch.Tensor) *torch.Tensor {
	if a.Gate == nil {
		return x
	}
	return x.Mul(a.elementGate()).To(x.DType())
}

// elementGate is the gate of each element, [size] or [batch, 1, size].
func (a *Axis) elementGate() *torch.Tensor {
	g := a.Gate
	if a.block > 1 {
		g = g.RepeatInterleave(a.block, -1)
	}
	if g.Rank() == 2 {
		g = g.Unsqueeze(1)
	}
	return g
}

// Through is the gate point of a block: x + m·(y − x) for the block's input x and output y, [batch, tokens, width].
func (a *Axis) Through(unit int, x, y *torch.Tensor) *torch.Tensor {
	if a.Observe != nil {
		a.Observe(unit, x, y)
	}
	if a.Gate == nil {
		return y
	}
	m := a.Gate.Select(-1, unit)
	if m.Rank() == 1 {
		m = m.Reshape(-1, 1, 1)
	}
	return x.Add(m.Mul(y.Sub(x))).To(x.DType())
}

// Dim is a dimension of a parameter: a concatenation of segments, each an ordered product of axes and plain numbers.
type Dim struct{ segments [][]factor }

type factor struct {
	axis *Axis // nil for a plain number
	size int
}

// Mul is the product of axes (*Axis) and plain numbers (int), the slowest first. A grouped-query projection is
// Cat(Mul(kv, group, dim), Mul(kv, dim), Mul(kv, dim)).
func Mul(factors ...any) Dim {
	var s []factor
	for _, f := range factors {
		switch f := f.(type) {
		case *Axis:
			s = append(s, factor{axis: f})
		case int:
			if f != 1 {
				s = append(s, factor{size: f})
			}
		default:
			panic(fmt.Sprintf("nn: Mul of %T", f))
		}
	}
	return Dim{segments: [][]factor{s}}
}

// Fixed is a dimension that no axis reaches.
func Fixed(n int) Dim { return Dim{segments: [][]factor{{{size: n}}}} }

// Cat is one dimension behind the other.
func Cat(dims ...Dim) Dim {
	var d Dim
	for _, x := range dims {
		d.segments = append(d.segments, x.segments...)
	}
	return d
}

func (f factor) count() int {
	if f.axis != nil {
		return f.axis.units
	}
	return f.size
}

func segmentSize(s []factor) int {
	n := 1
	for _, f := range s {
		n *= f.count()
	}
	return n
}

// Size is the number of elements along the dimension.
func (d Dim) Size() int {
	n := 0
	for _, s := range d.segments {
		n += segmentSize(s)
	}
	return n
}

// SizeWith is the size that the dimension would have if some axes had other numbers of units.
func (d Dim) SizeWith(units map[*Axis]int) int {
	n := 0
	for _, s := range d.segments {
		size := 1
		for _, f := range s {
			if u, ok := units[f.axis]; ok && f.axis != nil {
				size *= u
			} else {
				size *= f.count()
			}
		}
		n += size
	}
	return n
}

// Axes are the axes that the dimension is made of.
func (d Dim) Axes() []*Axis {
	var out []*Axis
	for _, s := range d.segments {
		for _, f := range s {
			if f.axis != nil && !contains(out, f.axis) {
				out = append(out, f.axis)
			}
		}
	}
	return out
}

// Units is the unit of a that each element of the dimension belongs to; -1 for none.
func (d Dim) Units(a *Axis) []int {
	out := make([]int, 0, d.Size())
	for _, s := range d.segments {
		for i := range segmentSize(s) {
			unit, rest := -1, i
			for k := len(s) - 1; k >= 0; k-- {
				n := s[k].count()
				if s[k].axis == a {
					unit = rest % n
				}
				rest /= n
			}
			out = append(out, unit)
		}
	}
	return out
}

// Keep lists the elements that stay when only the given units of some axes stay; nil when all do.
func (d Dim) Keep(units map[*Axis][]int) []int {
	drop := make([]bool, d.Size())
	touched := false
	for _, a := range d.Axes() {
		kept, ok := units[a]
		if !ok {
			continue
		}
		touched = true
		stays := make([]bool, a.units)
		for _, u := range kept {
			stays[u] = true
		}
		for i, u := range d.Units(a) {
			drop[i] = drop[i] || (u >= 0 && !stays[u])
		}
	}
	if !touched {
		return nil
	}
	var out []int
	for i, gone := range drop {
		if !gone {
			out = append(out, i)
		}
	}
	return out
}

// without is the dimension as a careless declaration would have it: with the number that a had before any cut.
func (d Dim) without(a *Axis) Dim {
	var out Dim
	for _, s := range d.segments {
		var copied []factor
		for _, f := range s {
			if f.axis == a {
				f = factor{size: a.declared}
			}
			copied = append(copied, f)
		}
		out.segments = append(out.segments, copied)
	}
	return out
}

func contains(axes []*Axis, a *Axis) bool {
	for _, x := range axes {
		if x == a {
			return true
		}
	}
	return false
}
