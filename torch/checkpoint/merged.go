package checkpoint

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"espalier/torch"
)

// Merged are several sources seen as one. Of tensors of the same name that of the last source counts.
type Merged struct {
	sources []Source
	where   map[string]Source
	// Replaced lists the names that more than one source has.
	Replaced []string
}

// Merge joins sources; closing the result closes them all.
func Merge(sources ...Source) *Merged {
	m := &Merged{sources: sources, where: map[string]Source{}}
	for _, s := range sources {
		for _, n := range s.Names() {
			if m.where[n] != nil {
				m.Replaced = append(m.Replaced, n)
			}
			m.where[n] = s
		}
	}
	return m
}

// Format names those of the sources.
func (m *Merged) Format() string {
	var all []string
	for _, s := range m.sources {
		all = append(all, s.Format())
	}
	return strings.Join(all, " + ")
}

// Names lists the tensors in alphabetical order.
func (m *Merged) Names() []string { return slices.Sorted(maps.Keys(m.where)) }

// Info describes a tensor; ok is false when there is none of that name.
func (m *Merged) Info(name string) (Info, bool) {
	if s := m.where[name]; s != nil {
		return s.Info(name)
	}
	return Info{}, false
}

// Bytes are a tensor's elements.
func (m *Merged) Bytes(name string) []byte {
	if s := m.where[name]; s != nil {
		return s.Bytes(name)
	}
	return nil
}

// Load copies a tensor to the device.
func (m *Merged) Load(name string, on torch.Device) (*torch.Tensor, error) {
	if s := m.where[name]; s != nil {
		return s.Load(name, on)
	}
	return nil, fmt.Errorf("no tensor %.200q", name)
}

// Drop leaves out tensors.
func (m *Merged) Drop(names ...string) {
	for _, n := range names {
		delete(m.where, n)
	}
}

// Close closes all sources.
func (m *Merged) Close() error {
	var faults []error
	for _, s := range m.sources {
		faults = append(faults, s.Close())
	}
	return errors.Join(faults...)
}
