package model

import "espalier/torch"

// Cache keeps the keys and values [batch, tokens, heads·size] of each layer for the tokens that follow. It has room for a
// number of tokens that is known from the start, so that a step writes only what is new; token by token, so that it
// writes in long runs.
type Cache struct {
	room   int // tokens that may follow the first ones
	layers []cached
}

type cached struct {
	keys, values *torch.Tensor // [batch, first tokens + room, heads·size]
	used         int
}

// extend takes up the keys and values of new tokens and returns those of all; without a cache they are all.
func (c *Cache) extend(s *torch.Scope, layer int, k, v *torch.Tensor) (keys, values *torch.Tensor) {
	switch {
	case c == nil || c.room == 0:
		return k, v
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

// withRoom copies t to the beginning of a tensor that has more tokens.
func withRoom(t *torch.Tensor, room int) *torch.Tensor {
	shape := t.Shape()
	tokens := shape[1]
	shape[1] += room
	out := torch.Empty(shape, t.DType(), t.Device())
	out.Narrow(1, 0, tokens).CopyFrom(t)
	return out
}
