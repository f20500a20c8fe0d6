package nn

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Structure is everything that a forward needs and a tensor's shape does not tell: it is kept in a checkpoint's
// config.json, so that a pruned network loads without the plans that made it.
type Structure struct {
	Version int              `json:"version"`
	Axes    map[string]int   `json:"axes"`   // units by axis; of dimensions inside heads those of one head, where some were cut
	Layers  []map[string]any `json:"layers"` // "name" and the facts of each block
	// Origins are, by axis, which pairs of their original heads are left where rotary positions turn them.
	Origins map[string][]int `json:"origins,omitempty"`
}

// StructureVersion is the version of [Structure] that this program writes and reads.
const StructureVersion = 1

// Structure describes the sizes and facts of the network as it is.
func (s *Store) Structure() Structure { return s.Cut(nil).Structure }

// Cut is what remains of a network's declaration when only some units of some axes stay.
type Cut struct {
	Structure Structure
	keep      map[*Axis][]int
}

// Cut works out the structure of the network with only the given units, in ascending order, of some axes. The blocks
// that stay are numbered anew.
func (s *Store) Cut(keep map[*Axis][]int) Cut {
	c := Cut{keep: keep, Structure: Structure{Version: StructureVersion, Axes: map[string]int{}}}
	for _, a := range s.axes {
		name, stays := c.rename(a.Name, a.stack, a.layer)
		if !stays {
			continue
		}
		if a.sets > 0 {
			c.inside(name, a)
			continue
		}
		units := a.units
		if kept, ok := keep[a]; ok {
			units = len(kept)
		}
		c.Structure.Axes[name] = units
	}
	for i, facts := range s.facts {
		l := s.layers[i]
		name, stays := c.rename(facts["name"].(string), l.stack, l.unit)
		if !stays {
			continue
		}
		facts = maps.Clone(facts)
		facts["name"] = name
		c.Structure.Layers = append(c.Structure.Layers, facts)
	}
	return c
}

// inside adds an axis inside heads: what stays in the heads that stay. One that was never cut is left out, so that the
// checkpoint says no more than it needs.
func (c *Cut) inside(name string, a *Axis) {
	heads := a.sets
	kept, cut := c.keep[a]
	if !cut {
		for u := range a.units {
			kept = append(kept, u)
		}
	}
	if stay, ok := c.keep[a.outer]; ok && a.outer != nil {
		heads = len(stay)
		kept = slices.DeleteFunc(slices.Clone(kept), func(u int) bool { return !slices.Contains(stay, u/a.Each()) })
	}
	each := len(kept) / heads
	if each == a.declared {
		return
	}
	c.Structure.Axes[name] = each
	if a.block == 1 {
		return
	}
	origin := make([]int, len(kept))
	for i, u := range kept {
		if origin[i] = u % a.Each(); a.Origin != nil {
			origin[i] = a.Origin[u]
		}
	}
	if c.Structure.Origins == nil {
		c.Structure.Origins = map[string][]int{}
	}
	c.Structure.Origins[name] = origin
}

// Name is the parameter's name in the network that remains; it does not stay when its block goes.
func (c Cut) Name(p *Param) (name string, stays bool) { return c.rename(p.Name, p.stack, p.layer) }

// rename replaces the number of a block in a name that belongs to it.
func (c Cut) rename(name string, stack *Axis, layer int) (renamed string, stays bool) {
	kept, cut := c.keep[stack]
	if stack == nil || !cut {
		return name, true
	}
	for i, unit := range kept {
		if unit == layer {
			rest := strings.TrimPrefix(name, fmt.Sprintf("%s.%d", stack.prefix, layer))
			return fmt.Sprintf("%s.%d%s", stack.prefix, i, rest), true
		}
	}
	return "", false
}
