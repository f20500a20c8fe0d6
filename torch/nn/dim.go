package nn

import "fmt"

// Dim is a dimension of a parameter: a concatenation of segments, each an ordered product of axes and plain numbers.
type Dim struct{ segments [][]factor }

type factor struct {
	axis *Axis // nil for a plain number
	size int
	by   *Axis // heads that read an axis inside heads, each group of neighbours the dimensions of one head; nil for its own heads
}

// inside is the dimension of heads with the dimensions a inside them: one head after the other, and in each the first
// elements of all units, then the second ones.
func inside(a, by *Axis) Dim { return Dim{segments: [][]factor{{{axis: a, by: by}}}} }

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
	switch {
	case f.axis == nil:
		return f.size
	case f.axis.sets > 0:
		return f.heads() * f.axis.Each() * f.axis.block
	}
	return f.axis.units
}

// heads is how many heads the elements of an axis inside heads belong to.
func (f factor) heads() int {
	if f.by != nil {
		return f.by.units
	}
	return f.axis.sets
}

// unit is the unit of a that the i-th element belongs to; -1 for none.
func (f factor) unit(i int, a *Axis) int {
	switch {
	case f.axis == nil || a != f.axis && a != f.by:
		return -1
	case f.axis.sets == 0:
		return i
	}
	each := f.axis.Each()
	head := i / (each * f.axis.block)
	if a == f.by {
		return head
	}
	return head*f.axis.sets/f.heads()*each + i%each
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

// SizeWith is the size that the dimension would have if some axes had other numbers of units, of axes inside heads in each head.
func (d Dim) SizeWith(units map[*Axis]int) int {
	of := func(a *Axis, has int) int {
		if u, ok := units[a]; ok {
			return u
		}
		return has
	}
	n := 0
	for _, s := range d.segments {
		size := 1
		for _, f := range s {
			switch {
			case f.axis == nil:
				size *= f.size
			case f.axis.sets > 0:
				heads := f.heads()
				switch {
				case f.by != nil:
					heads = of(f.by, heads)
				case f.axis.outer != nil:
					heads = of(f.axis.outer, heads)
				}
				size *= heads * of(f.axis, f.axis.Each()) * f.axis.block
			default:
				size *= of(f.axis, f.axis.units)
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
			for _, a := range []*Axis{f.axis, f.by} {
				if a != nil && !contains(out, a) {
					out = append(out, a)
				}
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
				if u := s[k].unit(rest%n, a); u >= 0 {
					unit = u
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
			copied = append(copied, f.without(a)...)
		}
		out.segments = append(out.segments, copied)
	}
	return out
}

// without is the factor with plain numbers in the place of a.
func (f factor) without(a *Axis) []factor {
	switch {
	case f.axis == nil || a != f.axis && a != f.by:
		return []factor{f}
	case f.axis.sets == 0:
		return []factor{{size: a.declared}}
	case a == f.by:
		return []factor{{size: a.declared}, {size: f.axis.declared * f.axis.block}}
	}
	heads := factor{size: f.heads()}
	if f.by != nil {
		heads = factor{axis: f.by}
	}
	return []factor{heads, {size: a.declared * a.block}}
}

func contains(axes []*Axis, a *Axis) bool {
	for _, x := range axes {
		if x == a {
			return true
		}
	}
	return false
}
