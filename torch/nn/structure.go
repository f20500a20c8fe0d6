package nn

import (
	"fmt"
	"maps"
	"strings"
)

// Structure is everything that a forward needs and a tensor's shape does not tell: it is kept in a checkpoint's
// config.json, so that a pruned network loads without the plans that made it.
type Structure struct {
	Version int              `json:"version"`
	Axes    map[string]int   `json:"axes"`   // units by axis
	Layers  []map[string]any `json:"layers"` // "name" and the facts of each block
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
