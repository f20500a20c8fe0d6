// Package network is a network that a step works on: known by its print, and in memory only while it is needed.
package network

import (
	"maps"
	"slices"

	"espalier/model"
	"espalier/pipeline/chain"
	"espalier/torch/nn"
)

// Held is a network by its print. One goroutine uses it.
type Held struct {
	declared model.Network // the same network without values
	print    chain.Print
	load     func() (model.Network, error)
	n        model.Network
	units    map[string][]int // see Units
}

// New is a network that load gives when it is first needed; n is that network where it is there already, else nil. declared is
// the same network without values.
func New(print chain.Print, declared, n model.Network, load func() (model.Network, error)) *Held {
	return &Held{declared: declared, print: print, load: load, n: n}
}

// After says that the network was made of another, and which units of each axis were kept where it was cut. It returns h.
func (h *Held) After(before *Held, keep map[string][]int) *Held {
	h.units = maps.Clone(before.units)
	for _, a := range before.declared.Store().Axes() {
		units, cut := keep[a.Name]
		if !cut || a.Kind != nn.Hidden && a.Kind != nn.Queries {
			continue
		}
		units = slices.Clone(units)
		if first := before.units[a.Name]; first != nil {
			for i, u := range units {
				units[i] = first[u]
			}
		}
		if h.units == nil {
			h.units = map[string][]int{}
		}
		h.units[a.Name] = units
	}
	return h
}

// Units are, for each width and the query tokens where they were cut, the first network's units that are left. (Axes inside
// blocks change their names with the blocks.)
func (h *Held) Units() map[string][]int { return h.units }

// Print is that of the network's values and sizes.
func (h *Held) Print() chain.Print { return h.print }

// Follows makes it a [chain.Follower].
func (h *Held) Follows() {}

// Declared has the network's sizes and axes, but no values.
func (h *Held) Declared() model.Network { return h.declared }

// Get is the network in memory. It stays the holder's.
func (h *Held) Get() (model.Network, error) {
	if h.n == nil {
		n, err := h.load()
		if err != nil {
			return nil, err
		}
		h.n = n
	}
	return h.n, nil
}

// Take is Get for a caller who frees or changes the network; the holder loads it again when it is asked once more.
func (h *Held) Take() (model.Network, error) {
	n, err := h.Get()
	h.n = nil
	return n, err
}

// Free gives the memory back.
func (h *Held) Free() {
	if h.n != nil {
		h.n.Store().Free()
		h.n = nil
	}
}
