package checkpoint

import (
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"espalier/torch"
)

// gobFile is an open checkpoint of github.com/wangkuiyi/gotorch: the gob of a module's StateDict, a map of names to
// tensors, each of them a zip archive of its own as C++ torch::pickle_save writes it. The file is mapped into memory, and
// the elements stay where they lie in it. encoding/gob would read all of it into memory first, up to 8 GiB.
type gobFile struct {
	path    string
	mapping *mapping
	tensors map[string]*gobTensor
}

var _ Source = (*gobFile)(nil)

// openGob maps a file and checks the description of every tensor in it: a known dtype, and elements that lie within its
// storage. What it allocates is bounded by the file's size, whatever the file claims. No code of the pickles is run.
func openGob(path string) (Source, error) {
	m, err := openMapped(path)
	if err != nil {
		return nil, err
	}
	g := &gobFile{path: path, mapping: m}
	if len(m.data) == 0 {
		return nil, fmt.Errorf("%s: 0 bytes are no gotorch checkpoint; is the download complete?", path)
	}
	if g.tensors, err = gobParse(m.data); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), g.Close())
	}
	return g, nil
}

// gobParse describes the tensors of a whole file; their elements are slices of it.
func gobParse(file []byte) (map[string]*gobTensor, error) {
	tensors := map[string]*gobTensor{}
	err := gobMap(file, func(name string, archive []byte) error {
		if tensors[name] != nil {
			return fmt.Errorf("tensor %.200q is in the file twice", name)
		}
		t, err := gobArchive(archive)
		if err != nil {
			return fmt.Errorf("tensor %.200q: %w", name, err)
		}
		t.info.Name = name
		tensors[name] = t
		return nil
	})
	return tensors, err
}

// Format is "gotorch state dict (gob)".
func (g *gobFile) Format() string { return "gotorch state dict (gob)" }

// Names lists the tensors in alphabetical order.
func (g *gobFile) Names() []string {
	names := make([]string, 0, len(g.tensors))
	for n := range g.tensors {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Info describes a tensor; ok is false when there is none of that name.
func (g *gobFile) Info(name string) (info Info, ok bool) {
	t, ok := g.tensors[name]
	if !ok {
		return Info{}, false
	}
	return t.info, true
}

// Bytes are a tensor's elements until Close; nil when there is none of that name. They lie in the mapped file unless the
// tensor was saved in another order than row-major.
func (g *gobFile) Bytes(name string) []byte {
	t := g.tensors[name]
	if t == nil || g.mapping.data == nil {
		return nil
	}
	return t.elements()
}

// Load copies a tensor to the device, after its checksum. The file's pages are given back afterwards.
func (g *gobFile) Load(name string, on torch.Device) (*torch.Tensor, error) {
	t := g.tensors[name]
	if t == nil {
		return nil, fmt.Errorf("%s: no tensor %.200q", g.path, name)
	}
	if g.mapping.data == nil {
		return nil, fmt.Errorf("%s: tensor %.200q: the file is closed", g.path, name)
	}
	var out *torch.Tensor
	at := cap(g.mapping.data) - cap(t.storage) // a slice of a slice ends where that one does
	err := g.mapping.reading(int64(at), int64(len(t.storage)), func() error {
		if crc32.ChecksumIEEE(t.storage) != t.crc {
			return errors.New("the checksum is wrong: the file is damaged, copy it again")
		}
		return torch.Run(func(s *torch.Scope) error {
			out = torch.FromBytes(t.elements(), t.info.DType, on, t.info.Shape...)
			s.Keep(out)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("%s: tensor %.200q: %w", g.path, name, err)
	}
	return out, nil
}

// Close unmaps the file. Loaded tensors stay.
func (g *gobFile) Close() error { return g.mapping.Close() }
