// Package nn declares networks: each dimension is an axis that is declared once, and from it come the checkpoint's
// names, the shapes and the pruning groups.
package nn

import "espalier/torch"

// Kind says what the units of an axis are.
type Kind string

// The kinds of axis.
const (
	Hidden     Kind = "hidden"     // the residual width of a tower
	Heads      Kind = "heads"      // attention heads of one attention
	KeySize    Kind = "key_size"   // dimensions inside a head in which queries and keys are compared
	ValueSize  Kind = "value_size" // dimensions inside a head of values and outputs
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
	// Measure, when set, sees the activations of each unit at each gate point: [units, elements]; of blocks, what each adds to
	// its input, one after the other.
	Measure func(unit int, x *torch.Tensor)
	// Origin is, inside heads whose positions are rotary, which pair of its original head each unit is; nil before any cut.
	Origin []int

	units    int
	declared int // units before any cut
	block    int
	groups   []int
	even     bool   // every rank group keeps as many units
	prefix   string // of the parameters' names, for an axis of blocks: unit i owns prefix.i.*
	stack    *Axis  // the blocks that the axis belongs to, or nil
	layer    int    // which of them
	sets     int    // heads whose dimensions the units are, each as many; 0 where the axis lies inside no head
	outer    *Axis  // these heads, or nil where they are never cut
}

// Units is the number of units.
func (a *Axis) Units() int { return a.units }

// Block is the number of elements of one unit: the head size for heads, else 1.
func (a *Axis) Block() int { return a.block }

// Each is the number of units that sizes are given in: those of one head for dimensions inside heads, else all.
func (a *Axis) Each() int { return a.units / max(1, a.sets) }

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
// inside their key-value group, dimensions inside their head.
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
func (a *Axis) Dim() Dim {
	if a.sets > 0 {
		return inside(a, a.outer)
	}
	return Mul(a, a.block)
}

// Times is n copies of the axis one behind the other, such as the fused rows of query, key and value.
func (a *Axis) Times(n int) Dim { return Mul(n, a, a.block) }

// Gated multiplies x [batch, tokens, size of the axis] by the gate: a gate point of the forward.
func (a *Axis) Gated(x *torch.Tensor) *torch.Tensor {
	a.measure(x, -1, a.block)
	return gated(x, a.Gate, a.block)
}

// measure shows Measure activations whose dimension d holds block neighbouring elements of each unit.
func (a *Axis) measure(x *torch.Tensor, d, block int) {
	if a.Measure != nil {
		a.Measure(0, x.Transpose(d, 0).Unflatten(0, a.units, block).Flatten(1, -1))
	}
}

// Watched tells whether a gate sits on the axis, or something looks at its activations.
func (a *Axis) Watched() bool { return a.Gate != nil || a.Observe != nil || a.Measure != nil }

// gated multiplies x [batch, tokens, units·block] by a gate, [units] or [batch, units]; nil does nothing.
func gated(x, gate *torch.Tensor, block int) *torch.Tensor {
	if gate == nil {
		return x
	}
	return x.Mul(elementGate(gate, block)).To(x.DType())
}

// elementGate is the gate of each element, [size] or [batch, 1, size].
func elementGate(gate *torch.Tensor, block int) *torch.Tensor {
	if block > 1 {
		gate = gate.RepeatInterleave(block, -1)
	}
	if gate.Rank() == 2 {
		gate = gate.Unsqueeze(1)
	}
	return gate
}

// Through is the gate point of a block: x + m·(y − x) for the block's input x and output y, [batch, tokens, width].
func (a *Axis) Through(unit int, x, y *torch.Tensor) *torch.Tensor {
	if a.Observe != nil {
		a.Observe(unit, x, y)
	}
	if a.Measure != nil {
		a.Measure(unit, y.Sub(x).Flatten(0, -1).Unsqueeze(0))
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
