package checkpoint

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"espalier/torch"
)

// Named is a source whose tensors are seen through a [NameMap].
type Named struct {
	Source
	views map[string]seen
}

// seen is one tensor: parts joined, transposed, and of that a range.
type seen struct {
	info     Info
	parts    []string // names in the source; "" is zeros as the others
	dim      int
	whole    []int // shape after joining and transposing
	from, to int   // of dimension dim of whole; all of it where from = to
	joined   []int // shape after joining
	turned   bool
}

// Over looks at a source through the rules. Missing parts, shapes that do not fit together, and names that two tensors
// would get are reported together, the first few of them. Closing the result closes the source.
func (m *NameMap) Over(s Source) (*Named, error) {
	n := &Named{Source: s, views: map[string]seen{}}
	type group struct {
		rule  *rule
		wild  []string
		parts []string
	}
	groups := map[string]*group{}
	var order []string
	origin := map[string]string{}
	var faults []error
	put := func(name, from string, v seen) {
		if other, taken := origin[name]; taken {
			faults = append(faults, fmt.Errorf("%.200s and %.200s would both be called %.200s", other, from, name))
			return
		}
		origin[name] = from
		v.info.Name = name
		n.views[name] = v
	}
	for _, name := range s.Names() {
		r, at, wild := m.find(name)
		if r == nil {
			info, _ := s.Info(name)
			put(name, name, seen{info: info, parts: []string{name}})
			continue
		}
		key := fmt.Sprintf("%p %q", r, wild)
		g := groups[key]
		if g == nil {
			g = &group{r, wild, make([]string, len(r.from))}
			groups[key] = g
			order = append(order, key)
		}
		if g.parts[at] != "" {
			faults = append(faults, fmt.Errorf("%.200s and %.200s are both %q", g.parts[at], name, r.from[at].text))
			continue
		}
		g.parts[at] = name
	}
	for _, key := range order {
		g := groups[key]
		views, err := g.rule.views(s, g.parts, g.wild)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		for i, v := range views {
			if to := g.rule.to[i]; to.text != "" {
				put(to.fill(g.wild), firstPart(g.parts), v)
			}
		}
	}
	if len(faults) > 0 {
		const shown = 12
		if more := len(faults) - shown; more > 0 {
			faults = append(faults[:shown], fmt.Errorf("and %d more", more))
		}
		return nil, errors.Join(faults...)
	}
	return n, nil
}

func firstPart(parts []string) string {
	return parts[slices.IndexFunc(parts, func(p string) bool { return p != "" })]
}

// views are the tensors that a rule makes of its parts.
func (r *rule) views(s Source, parts, wild []string) ([]seen, error) {
	if len(r.to) == 0 {
		return nil, nil
	}
	sum := 0
	base, _ := s.Info(firstPart(parts))
	for i, p := range r.from {
		switch info, _ := s.Info(parts[i]); {
		case p.text != "" && parts[i] == "":
			return nil, fmt.Errorf("%s is there, but not %s, which is joined with it", firstPart(parts), p.fill(wild))
		case p.text == "":
			if r.dim < len(base.Shape) {
				sum += base.Shape[r.dim]
			}
		case info.DType != base.DType || !fitAlong(base.Shape, info.Shape, r.dim):
			return nil, fmt.Errorf("%s %v %v and %s %v %v cannot be joined along dimension %d", base.Name, base.DType, base.Shape, info.Name, info.DType, info.Shape, r.dim)
		default:
			if r.dim < len(info.Shape) {
				sum += info.Shape[r.dim]
			}
		}
	}
	v := seen{info: base, parts: parts, dim: r.dim, joined: base.Shape, turned: r.transpose}
	if len(parts) > 1 {
		if r.dim >= len(base.Shape) {
			return nil, fmt.Errorf("%s has shape %v; there is no dimension %d to join along", base.Name, base.Shape, r.dim)
		}
		v.joined = slices.Clone(base.Shape)
		v.joined[r.dim] = sum
	}
	v.whole = v.joined
	if r.transpose {
		if len(v.joined) != 2 {
			return nil, fmt.Errorf("%s has shape %v; only a matrix is transposed", base.Name, base.Shape)
		}
		v.whole = []int{v.joined[1], v.joined[0]}
	}
	return r.split(v)
}

// split gives a view for each of the rule's names.
func (r *rule) split(v seen) ([]seen, error) {
	if len(r.to) == 1 {
		return []seen{v.sized(v.whole)}, nil
	}
	sizes := r.sizes
	if len(sizes) == 0 {
		sizes = slices.Repeat([]int{1}, len(r.to))
	}
	total := 0
	for _, n := range sizes {
		total += n
	}
	if r.dim >= len(v.whole) || v.whole[r.dim]%total != 0 {
		return nil, fmt.Errorf("%s has shape %v; dimension %d cannot be split by %v", v.info.Name, v.info.Shape, r.dim, sizes)
	}
	unit := v.whole[r.dim] / total
	var out []seen
	at := 0
	for _, n := range sizes {
		part := v
		part.from, part.to = at, at+n*unit
		at = part.to
		shape := slices.Clone(v.whole)
		shape[r.dim] = n * unit
		out = append(out, part.sized(shape))
	}
	return out, nil
}

func (v seen) sized(shape []int) seen {
	v.info.Shape = shape
	v.info.Bytes = int64(v.info.DType.Size())
	for _, n := range shape {
		v.info.Bytes *= int64(n)
	}
	return v
}

// fitAlong tells whether two shapes differ in one dimension only.
func fitAlong(a, b []int, dim int) bool {
	if len(a) != len(b) || dim >= len(a) {
		return len(a) == len(b) && slices.Equal(a, b)
	}
	return slices.Equal(a[:dim], b[:dim]) && slices.Equal(a[dim+1:], b[dim+1:])
}

// Names lists the tensors under their new names.
func (n *Named) Names() []string { return slices.Sorted(maps.Keys(n.views)) }

// Info describes a tensor as it is seen.
func (n *Named) Info(name string) (Info, bool) {
	v, ok := n.views[name]
	return v.info, ok
}

// Bytes are a tensor's elements: in the file, where it is only renamed.
func (n *Named) Bytes(name string) []byte {
	v, ok := n.views[name]
	if !ok {
		return nil
	}
	if v.plain() {
		return n.Source.Bytes(v.parts[0])
	}
	size := v.info.DType.Size()
	data := n.joinedBytes(v, size)
	if v.turned {
		data = transposed(data, v.joined, size)
	}
	if v.from == v.to {
		return data
	}
	inner := size
	for _, d := range v.whole[v.dim+1:] {
		inner *= d
	}
	out := make([]byte, 0, v.info.Bytes)
	for row := v.whole[v.dim] * inner; len(data) >= row && row > 0; data = data[row:] {
		out = append(out, data[v.from*inner:v.to*inner]...)
	}
	return out
}

func (v seen) plain() bool { return len(v.parts) == 1 && !v.turned && v.from == v.to }

func (n *Named) joinedBytes(v seen, size int) []byte {
	if len(v.parts) == 1 {
		return n.Source.Bytes(v.parts[0])
	}
	inner, outer := size, 1
	for _, d := range v.joined[v.dim+1:] {
		inner *= d
	}
	for _, d := range v.joined[:v.dim] {
		outer *= d
	}
	out := make([]byte, outer*inner*v.joined[v.dim])
	zeros, _ := n.Source.Info(firstPart(v.parts))
	at := 0
	for _, p := range v.parts {
		info := zeros
		if p != "" {
			info, _ = n.Source.Info(p)
			data, run := n.Source.Bytes(p), inner*info.Shape[v.dim]
			for row := range outer {
				copy(out[row*inner*v.joined[v.dim]+at:][:run], data[row*run:])
			}
		}
		at += inner * info.Shape[v.dim]
	}
	return out
}

// transposed is a matrix of elements of the given size the other way round.
func transposed(data []byte, shape []int, size int) []byte {
	out := make([]byte, len(data))
	rows, columns := shape[0], shape[1]
	for r := range rows {
		for c := range columns {
			copy(out[(c*rows+r)*size:][:size], data[(r*columns+c)*size:])
		}
	}
	return out
}

// Load copies a tensor to the device.
func (n *Named) Load(name string, on torch.Device) (*torch.Tensor, error) {
	v, ok := n.views[name]
	if !ok {
		return nil, fmt.Errorf("no tensor %.200q", name)
	}
	if v.plain() {
		return n.Source.Load(v.parts[0], on)
	}
	return loadBytes(n.Bytes(name), v.info, on)
}

// loadBytes makes a tensor of libtorch's own memory.
func loadBytes(data []byte, info Info, on torch.Device) (t *torch.Tensor, err error) {
	err = torch.Run(func(s *torch.Scope) error {
		t = torch.FromBytes(data, info.DType, on, info.Shape...)
		s.Keep(t)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("tensor %.200q: %w", info.Name, err)
	}
	return t, nil
}
