// Package checkpoint reads and writes files of tensors.
package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sort"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"espalier/torch"
	"espalier/torch/disk"
	"espalier/torch/textfile"
)

// SafeTensors is an open safetensors file, mapped into memory: a tensor is read when it is asked for.
type SafeTensors struct {
	Path     string
	Metadata map[string]string
	entries  map[string]entry
	data     []byte // the tensors' part of the mapping
	mapped   []byte

	asked              sync.Mutex // of what follows
	askedFrom, askedTo int64      // what the system was asked to read last
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
	f, info, err := disk.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if head := make([]byte, 64); info.Size() < 1024 { // a pointer's size; a file of this name is not always opened by Open
		if n, _ := f.ReadAt(head, 0); textfile.IsPointer(head[:n]) {
			return nil, fmt.Errorf("%s %s", path, textfile.Pointer)
		}
	}
	if info.Size() < 8 {
		return nil, fmt.Errorf("%s: %d bytes are no safetensors file; is the download complete?", path, info.Size())
	}
	mapped, err := syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("%s: map into memory: %w", path, err)
	}
	s := &SafeTensors{Path: path, mapped: mapped}
	if err := s.parse(); err != nil {
		s.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func (s *SafeTensors) parse() error {
	length := binary.LittleEndian.Uint64(s.mapped)
	if length > maxHeader || length > uint64(len(s.mapped)-8) {
		return fmt.Errorf("header of %d bytes in a file of %d: not a safetensors file, or cut short", length, len(s.mapped))
	}
	s.data = s.mapped[8+length:]
	if err := s.parseHeader(s.mapped[8 : 8+length]); err != nil {
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
	if s.mapped == nil {
		return nil, fmt.Errorf("%s: tensor %.200q: the file is closed", s.Path, name)
	}
	dtype, ok := dtypeNames[e.DType]
	if !ok {
		return nil, fmt.Errorf("%s: tensor %.200q is a tensor of %s, which Espalier cannot load; the others can be", s.Path, name, otherDTypes[e.DType].name)
	}
	s.ahead(e)
	var t *torch.Tensor
	err := torch.Run(func(scope *torch.Scope) error {
		t = torch.FromBytes(s.data[e.Offsets[0]:e.Offsets[1]], dtype, on, e.Shape...)
		scope.Keep(t)
		return nil
	})
	s.release(e)
	if err != nil {
		return nil, fmt.Errorf("%s: tensor %.200q: %w", s.Path, name, err)
	}
	return t, nil
}

// readAhead is how far behind a tensor the system is asked to read from the disk, bytes: who loads one loads the next.
const readAhead = 128 << 20

// ahead has the system read a tensor, and what lies behind it, in large pieces: page by page as they are touched takes half as long again.
func (s *SafeTensors) ahead(e entry) {
	page := int64(os.Getpagesize())
	start, size := int64(len(s.mapped)-len(s.data)), int64(len(s.mapped))
	from, to := (start+e.Offsets[0])/page*page, start+e.Offsets[1]
	s.asked.Lock()
	defer s.asked.Unlock()
	if s.askedFrom <= from && min(to+readAhead/2, size) <= s.askedTo {
		return
	}
	s.askedFrom, s.askedTo = from, min(to+readAhead, size)
	_ = unix.Madvise(s.mapped[from:s.askedTo], unix.MADV_WILLNEED) // advice: it is read in any case
}

// release lets go of the pages that lie within a tensor; they come back from the file if they are read again.
func (s *SafeTensors) release(e entry) {
	page := int64(os.Getpagesize())
	start := int64(len(s.mapped) - len(s.data))
	from, to := (start+e.Offsets[0]+page-1)/page*page, (start+e.Offsets[1])/page*page
	if from < to {
		_ = unix.Madvise(s.mapped[from:to], unix.MADV_DONTNEED) // advice: nothing is lost when it is not taken
	}
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
	if s.mapped == nil {
		return nil
	}
	err := syscall.Munmap(s.mapped)
	s.mapped, s.data = nil, nil
	return err
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
