package nn

import (
	"fmt"

	"espalier/torch"
)

// Attention is the axes of one attention. Each head keeps dimensions of its own choice, and all heads as many. Query heads
// that share keys and values share their dimensions too.
type Attention struct {
	Heads  *Axis // query heads
	Keys   *Axis // dimensions of queries and keys; pairs of them where positions are rotary
	Values *Axis // dimensions of values and of what the heads give
}

// Attention declares the dimensions inside heads of some size. prefix tells them from those of another attention of the
// block.
func (b *Builder) Attention(heads *Axis, prefix string, size int) *Attention {
	return b.attention(&Attention{
		Heads:  heads,
		Keys:   b.inside(heads, heads.units, prefix+"key_size", KeySize, size, 1),
		Values: b.inside(heads, heads.units, prefix+"value_size", ValueSize, size, 1),
	})
}

// RotaryAttention declares heads that rotary positions turn: dimension i goes with i + size/2. kv is the number of heads of
// keys and values, as many as the query heads or fewer, which then stay.
func (b *Builder) RotaryAttention(heads *Axis, kv, size int) *Attention {
	own, sets := heads, heads.units
	if kv != heads.declared {
		own, sets = nil, kv
		heads.SetEvenGroups(kv)
	}
	a := &Attention{
		Heads:  heads,
		Keys:   b.inside(own, sets, "key_size", KeySize, size/2, 2),
		Values: b.inside(own, sets, "value_size", ValueSize, size, 1),
	}
	a.Keys.Origin = b.origin(a.Keys)
	return b.attention(a)
}

func (b *Builder) attention(a *Attention) *Attention {
	a.Heads.Blocks(a.Values.Each()) // what a head gives
	return a
}

// inside declares the dimensions inside heads, size units of block elements in each. A structure leaves them out where none
// was cut.
func (b *Builder) inside(outer *Axis, sets int, name string, kind Kind, size, block int) *Axis {
	a := b.axis(name, kind, size).Blocks(block)
	a.outer, a.sets, a.units = outer, sets, a.units*sets
	a.SetEvenGroups(sets)
	return a
}

// origin is what the structure says of the pairs that are left of an axis; nil where none was cut.
func (b *Builder) origin(a *Axis) []int {
	s := b.root.structure
	if s == nil || a.Each() == a.declared {
		return nil
	}
	origin := s.Origins[a.Name]
	if len(origin) != a.units {
		b.root.faults = append(b.root.faults, fmt.Errorf("the structure has %d origins of axis %s, which has %d units", len(origin), a.Name, a.units))
		return make([]int, a.units)
	}
	for i, pair := range origin {
		if pair < 0 || pair >= a.declared || i%a.Each() > 0 && pair <= origin[i-1] {
			b.root.faults = append(b.root.faults, fmt.Errorf("the origins of axis %s are not ascending numbers below %d in each head", a.Name, a.declared))
			break
		}
	}
	return origin
}

// Query, Key, Value and Output are the dimensions of the projections on the heads' side; Fused is the first three of them
// one behind the other.
func (a *Attention) Query() Dim  { return inside(a.Keys, a.Heads) }
func (a *Attention) Key() Dim    { return a.Keys.Dim() }
func (a *Attention) Value() Dim  { return a.Values.Dim() }
func (a *Attention) Output() Dim { return inside(a.Values, a.Heads) }
func (a *Attention) Fused() Dim  { return Cat(a.Query(), a.Key(), a.Value()) }

// Sizes are the numbers of elements of queries and keys, and of values, in a head.
func (a *Attention) Sizes() (key, value int) { return a.Keys.Each() * a.Keys.block, a.Values.Each() }

// SplitQueries turns [batch, tokens, heads·size] into [batch, heads, tokens, size].
func (a *Attention) SplitQueries(x *torch.Tensor) *torch.Tensor { return split(x, a.Heads.units) }

// SplitKeys turns keys or values [batch, tokens, heads·size] into [batch, heads, tokens, size].
func (a *Attention) SplitKeys(x *torch.Tensor) *torch.Tensor { return split(x, a.Keys.sets) }

func split(x *torch.Tensor, heads int) *torch.Tensor {
	return x.Unflatten(-1, heads, -1).Transpose(1, 2)
}

// SplitFused turns the fused projection [batch, tokens, query, key and value] into three tensors [batch, heads, tokens, size].
func (a *Attention) SplitFused(x *torch.Tensor) (q, k, v *torch.Tensor) {
	key, value := a.Sizes()
	if key == value {
		parts := x.Unflatten(-1, 3, a.Heads.units, key).Permute(2, 0, 3, 1, 4)
		return parts.Select(0, 0), parts.Select(0, 1), parts.Select(0, 2)
	}
	n := a.Heads.units * key
	return a.SplitQueries(x.Slice(-1, 0, n)), a.SplitKeys(x.Slice(-1, n, 2*n)), a.SplitKeys(x.Slice(-1, 2*n, 2*n+a.Heads.units*value))
}

// Shared repeats keys or values [batch, heads, tokens, size] for the query heads that share them.
func (a *Attention) Shared(x *torch.Tensor) *torch.Tensor {
	if a.Heads.units == a.Keys.sets {
		return x
	}
	return x.RepeatInterleave(a.Heads.units/a.Keys.sets, 1)
}

// Attend is scaled dot-product attention over tensors [batch, heads, tokens, size] with the gate points of the three axes;
// it gives [batch, tokens, heads·size].
func (a *Attention) Attend(q, k, v, mask *torch.Tensor, scale float64) *torch.Tensor {
	if a.Keys.Measure != nil {
		measureInside(a.Keys, a.Heads.units, q.Transpose(1, 2).Flatten(2, 3))
	}
	if g := spread(a.Keys, a.Heads.units); g != nil {
		q = q.Mul(g.Unsqueeze(-2)).To(q.DType())
	}
	x := torch.ScaledDotProductAttention(q, k, v, mask, scale).Transpose(1, 2).Flatten(2, 3)
	measureInside(a.Values, a.Heads.units, x)
	a.Heads.measure(x, -1, a.Values.Each())
	if g := spread(a.Values, a.Heads.units); g != nil {
		x = gated(x, g.Flatten(-2, -1), 1)
	}
	return gated(x, a.Heads.Gate, a.Values.Each())
}

// AttendFused is Attend over the fused projection of tokens that all see each other.
func (a *Attention) AttendFused(x *torch.Tensor, scale float64) *torch.Tensor {
	if key, value := a.Sizes(); key == value && !a.Watched() {
		return torch.SelfAttention(x, a.Heads.units, scale)
	}
	q, k, v := a.SplitFused(x)
	return a.Attend(q, k, v, nil, scale)
}

// AttendProjected is Attend of x [batch, tokens, width] to itself by the projections of its queries, keys and values.
func (a *Attention) AttendProjected(x *torch.Tensor, query, key, value *Linear, mask *torch.Tensor, scale float64) *torch.Tensor {
	var weights [3]*torch.Tensor
	var biases []*torch.Tensor
	for i, l := range []*Linear{query, key, value} {
		weights[i] = l.W.T()
		if l.B != nil {
			biases = append(biases, l.B.T())
		}
	}
	if k, v := a.Sizes(); k == v && a.Heads.units == a.Keys.sets && len(biases)%3 == 0 && !a.Watched() {
		return torch.ProjectedAttention(x, weights, biases, mask, a.Heads.units, scale)
	}
	return a.Attend(a.SplitQueries(query.Forward(x)), a.SplitKeys(key.Forward(x)), a.SplitKeys(value.Forward(x)), mask, scale)
}

// measureInside shows an axis inside the heads the activations [batch, tokens, heads·size] of its units.
func measureInside(inside *Axis, heads int, x *torch.Tensor) {
	if inside.Measure == nil {
		return
	}
	shared := heads / inside.sets                                         // query heads with the same units
	x = x.Unflatten(-1, inside.sets, shared, inside.block, inside.Each()) // [batch, tokens, sets, shared, block, each]
	inside.Measure(0, x.Permute(2, 5, 0, 1, 3, 4).Flatten(2, -1).Flatten(0, 1))
}

// spread is the gate of an axis inside the heads for each query head, [heads, size] or [batch, heads, size]; nil where there is none.
func spread(inside *Axis, heads int) *torch.Tensor {
	g := inside.Gate
	if g == nil {
		return nil
	}
	g = g.Unflatten(-1, inside.sets, -1)
	if inside.block == 2 {
		g = torch.Cat(-1, g, g)
	}
	if n := heads / inside.sets; n > 1 {
		g = g.RepeatInterleave(n, -2)
	}
	return g
}

// Watched tells whether a gate sits on one of the axes.
func (a *Attention) Watched() bool {
	return a.Heads.Watched() || a.Keys.Watched() || a.Values.Watched()
}
