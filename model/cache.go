package model

import "espalier/torch"

// Cache keeps the keys and values [batch, tokens, heads·size] of each layer for the tokens that follow. It has room for a
// number of tokens that is known from the start, so that a step writes only what is new; token by token, so that it
// writes in long runs.
type Cache struct {
	room   int  // tokens that may follow the first ones
	joins  bool // new tokens are joined to the earlier ones instead, however many: what a trace can record
	layers []cached

	memory    *memory       // what a decoder of its own reads of the encoder
	read      []readMemory  // its keys and values, by layer
	positions *torch.Tensor // int64 [rows or 1, tokens]: of the cached tokens, where positions count among each other
}

type cached struct {
	keys, values *torch.Tensor // [batch, first tokens + room, heads·size]
	used         int
}

// memory is an encoder's output.
type memory struct {
	states *torch.Tensor // [rows, tokens, width]
	mask   *torch.Tensor // added to the scores, [rows or 1, 1, 1, tokens]; nil hides nothing
}

type readMemory struct{ keys, values *torch.Tensor } // [rows, heads, tokens, size]

// keeps tells whether there is a cache, and tokens may follow.
func (c *Cache) keeps() bool { return c != nil && (c.joins || c.room > 0) }

// extend takes up the keys and values of new tokens and returns those of all; without a cache they are all.
func (c *Cache) extend(s *torch.Scope, layer int, k, v *torch.Tensor) (keys, values *torch.Tensor) {
	switch {
	case !c.keeps():
		return k, v
	case c.joins:
		return c.join(s, layer, k, v)
	case layer == len(c.layers):
		l := cached{keys: withRoom(k, c.room), values: withRoom(v, c.room), used: k.Size(1)}
		s.Keep(l.keys, l.values)
		c.layers = append(c.layers, l)
		return k, v
	}
	l := &c.layers[layer]
	n := k.Size(1)
	l.keys.Narrow(1, l.used, n).CopyFrom(k)
	l.values.Narrow(1, l.used, n).CopyFrom(v)
	l.used += n
	return l.keys.Narrow(1, 0, l.used), l.values.Narrow(1, 0, l.used)
}

func (c *Cache) join(s *torch.Scope, layer int, k, v *torch.Tensor) (keys, values *torch.Tensor) {
	if layer == len(c.layers) {
		c.layers = append(c.layers, cached{keys: k, values: v})
	} else {
		l := &c.layers[layer]
		l.keys, l.values = torch.Cat(1, l.keys, k), torch.Cat(1, l.values, v)
	}
	l := c.layers[layer]
	s.Keep(l.keys, l.values)
	return l.keys, l.values
}

// cross gives a layer's keys and values of the encoder's output, computed once.
func (c *Cache) cross(s *torch.Scope, layer int, states *torch.Tensor, project func(states *torch.Tensor) (keys, values *torch.Tensor)) (keys, values *torch.Tensor) {
	if layer < len(c.read) {
		return c.read[layer].keys, c.read[layer].values
	}
	keys, values = project(states)
	if c.keeps() {
		s.Keep(keys, values)
		c.read = append(c.read, readMemory{keys, values})
	}
	return keys, values
}

// place takes up the positions of new tokens and returns those of all.
func (c *Cache) place(positions *torch.Tensor) *torch.Tensor {
	if !c.keeps() {
		return positions
	}
	if c.positions != nil {
		positions = torch.Cat(1, c.positions, positions)
	}
	c.positions = positions
	return positions
}

// withRoom copies t to the beginning of a tensor that has more tokens.
func withRoom(t *torch.Tensor, room int) *torch.Tensor {
	shape := t.Shape()
	tokens := shape[1]
	shape[1] += room
	out := torch.Empty(shape, t.DType(), t.Device())
	out.Narrow(1, 0, tokens).CopyFrom(t)
	return out
}
