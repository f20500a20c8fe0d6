// Package checkpoint reads and writes files of tensors.
package checkpoint

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sort"
	"syscall"

	"golang.org/x/sys/unix"

	"espalier/torch"
)

// SafeTensors is an open safetensors file, mapped into memory: a tensor is read when it is asked for.
type SafeTensors struct {
	Path     string
	Metadata map[string]string
	entries  map[string]entry
	data     []byte // the tensors' part of the mapping
	mapped   []byte
}

type entry struct {
	DType   string  `json:"dtype"`
	Shape   []int   `json:"shape"`
	Offsets []int64 `json:"data_offsets"`
}

// Info describes a tensor in a file.
type Info struct {
	Name  string
	DType torch.DType
	Shape []int
	Bytes int64
}

var dtypeNames = map[string]torch.DType{
	"U8": torch.Uint8, "I8": torch.Int8, "I16": torch.Int16, "I32": torch.Int32, "I64": torch.Int64, "F16": torch.Float16,
	"BF16": torch.BFloat16, "F32": torch.Float32, "F64": torch.Float64, "BOOL": torch.Bool,
}

// maxHeader is the limit of the reference implementation.
const maxHeader = 100_000_000

// OpenSafeTensors maps a file and checks its header: every tensor must have a known dtype, the bytes that its shape
// needs, and a place inside the file; together they fill it without overlap, as the format demands.
func OpenSafeTensors(path string) (*SafeTensors, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
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

// parseHeader reads the object key by key: a map would let a second tensor of the same name replace the first in silence.
func (s *SafeTensors) parseHeader(header []byte) error {
	if !json.Valid(header) || !bytes.HasPrefix(header, []byte("{")) {
		return errors.New("the header is no JSON object: not a safetensors file, or damaged")
	}
	s.entries = make(map[string]entry)
	d := json.NewDecoder(bytes.NewReader(header))
	d.Token() // the opening brace; errors are ruled out above
	for seen := false; d.More(); {
		key, _ := d.Token()
		name := key.(string)
		if name == "__metadata__" && !seen {
			seen = true
			if err := d.Decode(&s.Metadata); err != nil {
				return fmt.Errorf("broken metadata: %w", err)
			}
			continue
		}
		var e entry
		if err := d.Decode(&e); err != nil {
			return fmt.Errorf("tensor %q: broken entry: %w", name, err)
		}
		if _, twice := s.entries[name]; twice || name == "__metadata__" {
			return fmt.Errorf("%q is in the header twice", name)
		}
		if err := e.check(int64(len(s.data))); err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		s.entries[name] = e
	}
	return nil
}

func (e entry) check(size int64) error {
	d, ok := dtypeNames[e.DType]
	if !ok {
		return fmt.Errorf("unknown dtype %q", e.DType)
	}
	if e.Shape == nil || len(e.Offsets) != 2 {
		return errors.New("needs a shape and two data_offsets")
	}
	want := int64(d.Size())
	for _, n := range e.Shape {
		if n < 0 || (n > 0 && want > (1<<62)/int64(n)) {
			return fmt.Errorf("impossible shape %v", e.Shape)
		}
		want *= int64(n)
	}
	from, to := e.Offsets[0], e.Offsets[1]
	if from < 0 || to < from || to > size {
		return fmt.Errorf("bytes %d to %d lie outside the file's %d; is the download complete?", from, to, size)
	}
	if to-from != want {
		return fmt.Errorf("shape %v of %s needs %d bytes, the file has %d", e.Shape, e.DType, want, to-from)
	}
	return nil
}

func (s *SafeTensors) checkPlaces() error {
	names := s.Names()
	slices.SortFunc(names, func(a, b string) int { return slices.Compare(s.entries[a].Offsets, s.entries[b].Offsets) })
	end := int64(0)
	for _, n := range names {
		e := s.entries[n]
		if e.Offsets[0] < end {
			return fmt.Errorf("tensor %q overlaps another", n)
		}
		if e.Offsets[0] > end {
			return fmt.Errorf("%d bytes before tensor %q belong to none", e.Offsets[0]-end, n)
		}
		end = e.Offsets[1]
	}
	if rest := int64(len(s.data)) - end; rest > 0 {
		return fmt.Errorf("the last %d bytes belong to no tensor", rest)
	}
	return nil
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
	return Info{Name: name, DType: dtypeNames[e.DType], Shape: e.Shape, Bytes: e.Offsets[1] - e.Offsets[0]}, ok
}

// Bytes are a tensor's elements in the mapped file, little-endian, until Close; nil when there is none of that name.
func (s *SafeTensors) Bytes(name string) []byte {
	e, ok := s.entries[name]
	if !ok {
		return nil
	}
	return s.data[e.Offsets[0]:e.Offsets[1]]
}

// Load copies a tensor from the mapping to aligned memory of libtorch's on the device. The file's pages are given back
// afterwards: loading a large file takes little more memory than its tensors.
func (s *SafeTensors) Load(name string, on torch.Device) (*torch.Tensor, error) {
	e, ok := s.entries[name]
	if !ok {
		return nil, fmt.Errorf("%s: no tensor %q", s.Path, name)
	}
	if s.mapped == nil {
		return nil, fmt.Errorf("%s: tensor %q: the file is closed", s.Path, name)
	}
	var t *torch.Tensor
	err := torch.Run(func(scope *torch.Scope) error {
		t = torch.FromBytes(s.data[e.Offsets[0]:e.Offsets[1]], dtypeNames[e.DType], on, e.Shape...)
		scope.Keep(t)
		return nil
	})
	s.release(e)
	if err != nil {
		return nil, fmt.Errorf("%s: tensor %q: %w", s.Path, name, err)
	}
	return t, nil
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
