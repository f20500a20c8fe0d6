// Package network is a network that a step works on: known by its print, and in memory only while it is needed.
package network

import (
	"espalier/model"
	"espalier/pipeline/chain"
)

// Held is a network by its print. One goroutine uses it.
type Held struct {
	declared model.Network // the same network without values
	print    chain.Print
	load     func() (model.Network, error)
	n        model.Network
}

// New is a network that load gives when it is first needed; n is that network where it is there already, else nil. declared is
// the same network without values.
func New(print chain.Print, declared, n model.Network, load func() (model.Network, error)) *Held {
	return &Held{declared, print, load, n}
}

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
