// Package checkpoint reads and writes files of tensors.
package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sort"

	"espalier/torch"
	"espalier/torch/textfile"
)

// SafeTensors is an open safetensors file, mapped into memory: a tensor is read when it is asked for.
type SafeTensors struct {
	Path     string
	Metadata map[string]string
	entries  map[string]entry
	mapping  *mapping
	data     []byte // the tensors' part of the mapping
}

// Info describes a tensor in a file.
type Info struct {
	Name  string
	DType torch.DType
	Shape []int
	Bytes int64
}

// OpenSafeTensors maps a file and checks its header: every tensor must have a known dtype, the bytes that its shape
// needs, and a place inside the file; together they fill it without overlap, as the format demands.
func OpenSafeTensors(path string) (*SafeTensors, error) {
	m, err := openMapped(path)
	if err != nil {
		return nil, err
	}
	s := &SafeTensors{Path: path, mapping: m}
	if n := len(m.data); n < 1024 && textfile.IsPointer(m.data[:min(n, 64)]) { // a file of this name is not always opened by Open
		s.Close()
		return nil, fmt.Errorf("%s %s", path, textfile.Pointer)
	}
	if err := s.parse(); err != nil {
		s.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func (s *SafeTensors) parse() error {
	file := s.mapping.data
	if len(file) < 8 {
		return fmt.Errorf("%d bytes are no safetensors file; is the download complete?", len(file))
	}
	length := binary.LittleEndian.Uint64(file)
	if length > maxHeader || length > uint64(len(file)-8) {
		return fmt.Errorf("header of %d bytes in a file of %d: not a safetensors file, or cut short", length, len(file))
	}
	s.data = file[8+length:]
	if err := s.parseHeader(file[8 : 8+length]); err != nil {
		return err
	}
	return s.checkPlaces()
}

// Format is "safetensors".
func (s *SafeTensors) Format() string { return "safetensors" }

// Names lists the tensors in alphabetical order.
func (s *SafeTensors) Names() []string {
	names := make([]string, 0, len(s.entries))
	for n := range s.entries {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// Info describes a tensor; ok is false when the file has none of that name.
func (s *SafeTensors) Info(name string) (info Info, ok bool) {
	e, ok := s.entries[name]
	if !ok {
		return Info{}, false
	}
	element, _ := elementOf(e.DType)
	return Info{Name: name, DType: element.dtype, Shape: e.Shape, Bytes: e.Offsets[1] - e.Offsets[0]}, ok
}

// Bytes are a tensor's elements in the mapped file, little-endian, until Close; nil when there is none of that name,
// or none that Load could load.
func (s *SafeTensors) Bytes(name string) []byte {
	e, ok := s.entries[name]
	if _, known := dtypeNames[e.DType]; !ok || !known {
		return nil
	}
	return s.data[e.Offsets[0]:e.Offsets[1]]
}

// Load copies a tensor from the mapping to aligned memory of libtorch's on the device. The file's pages are given back
// afterwards: loading a large file takes little more memory than its tensors.
func (s *SafeTensors) Load(name string, on torch.Device) (*torch.Tensor, error) {
	e, ok := s.entries[name]
	if !ok {
		return nil, fmt.Errorf("%s: no tensor %.200q", s.Path, name)
	}
	if s.mapping.data == nil {
		return nil, fmt.Errorf("%s: tensor %.200q: the file is closed", s.Path, name)
	}
	dtype, ok := dtypeNames[e.DType]
	if !ok {
		return nil, fmt.Errorf("%s: tensor %.200q is a tensor of %s, which Espalier cannot load; the others can be", s.Path, name, otherDTypes[e.DType].name)
	}
	start := int64(len(s.mapping.data) - len(s.data))
	var t *torch.Tensor
	err := s.mapping.reading(start+e.Offsets[0], e.Offsets[1]-e.Offsets[0], func() error {
		return torch.Run(func(scope *torch.Scope) error {
			t = torch.FromBytes(s.data[e.Offsets[0]:e.Offsets[1]], dtype, on, e.Shape...)
			scope.Keep(t)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("%s: tensor %.200q: %w", s.Path, name, err)
	}
	return t, nil
}

// LoadAll loads every tensor.
func (s *SafeTensors) LoadAll(on torch.Device) (map[string]*torch.Tensor, error) {
	out := make(map[string]*torch.Tensor, len(s.entries))
	for _, n := range s.Names() {
		t, err := s.Load(n, on)
		if err != nil {
			for _, loaded := range out {
				loaded.Free()
			}
			return nil, err
		}
		out[n] = t
	}
	return out, nil
}

// Close unmaps the file. Loaded tensors stay.
func (s *SafeTensors) Close() error {
	s.data = nil
	return s.mapping.Close()
}

// ReadSafeTensors opens, loads all and closes: for small files.
func ReadSafeTensors(path string, on torch.Device) (map[string]*torch.Tensor, error) {
	s, err := OpenSafeTensors(path)
	if err != nil {
		return nil, err
	}
	tensors, err := s.LoadAll(on)
	return tensors, errors.Join(err, s.Close())
}
