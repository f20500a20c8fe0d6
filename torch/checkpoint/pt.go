package checkpoint

import (
	"fmt"
	"maps"
	"slices"

	"espalier/torch"
)

// PT is an open file of torch.save, torch.jit.save or libtorch's torch::save, mapped into memory: a tensor is read when
// it is asked for. No code of the file is run.
type PT struct {
	Path    string
	format  string
	tensors map[string]*view
	records *records
}

// record is a run of bytes in the file.
type record struct {
	at, size int64 // size is that of the content
	packed   int   // 1 + the index among the zip file's members; 0 for a record that lies in the file as it is
}

// newPT names the tensors below a key of the pickled value, and checks each one's place.
func newPT(path, format, key string, top any, r *records, keep func(*object) func(string) bool) (*PT, error) {
	chosen, where, err := choose(top, key)
	if err != nil {
		return nil, err
	}
	if where != "" {
		format += fmt.Sprintf(", %q", where)
	}
	f := &flattener{keep: keep, tensors: map[string]*view{}, open: map[any]bool{}}
	if err := f.add("", chosen, 0); err != nil {
		return nil, err
	}
	if len(f.tensors) == 0 {
		return nil, noTensors(chosen)
	}
	limit := maxExpanded + 16*int64(len(r.data))
	for _, name := range slices.Sorted(maps.Keys(f.tensors)) {
		v := f.tensors[name]
		if err := v.check(limit); err != nil {
			return nil, fmt.Errorf("tensor %.200q: %w", name, err)
		}
		if v.fault == "" && v.element.dtype.Size() == 0 {
			v.fault = "a tensor of " + v.element.name
		}
	}
	return &PT{Path: path, format: format, tensors: f.tensors, records: r}, nil
}

// maxExpanded bounds, with the file's size, what a tensor that repeats its elements may take.
const maxExpanded = 16 << 20

// Format names the form and, of a nested checkpoint, the key: `PyTorch checkpoint (zip), "model"`.
func (p *PT) Format() string { return p.format }

// Names lists the tensors in alphabetical order.
func (p *PT) Names() []string { return slices.Sorted(maps.Keys(p.tensors)) }

// Info describes a tensor; ok is false when the file has none of that name. A tensor that Espalier has no type for, such
// as a complex one, is described with libtorch's number of its type.
func (p *PT) Info(name string) (info Info, ok bool) {
	v, ok := p.tensors[name]
	if !ok {
		return Info{}, false
	}
	info = Info{Name: name, DType: v.element.dtype, Shape: slices.Clone(v.shape)}
	if v.storage != nil {
		info.Bytes = v.bytes()
	}
	if info.Shape == nil {
		info.Shape = []int{}
	}
	return info, true
}

// Bytes are a tensor's elements in row-major order, little-endian: in the mapped file, until Close, or in a copy where
// the file has them in another order or compressed. They are nil when there is no tensor of that name, or none that
// Load could load.
func (p *PT) Bytes(name string) []byte {
	v, err := p.readable(name)
	if err != nil {
		return nil
	}
	data, err := p.read(v)
	if err != nil {
		return nil
	}
	return data
}

// Load copies a tensor to aligned memory of libtorch's on the device. The file's pages are given back afterwards.
func (p *PT) Load(name string, on torch.Device) (*torch.Tensor, error) {
	v, err := p.readable(name)
	if err != nil {
		return nil, err
	}
	var t *torch.Tensor
	load := func() error {
		return torch.Run(func(scope *torch.Scope) error {
			data, err := p.read(v)
			if err != nil {
				return err
			}
			t = torch.FromBytes(data, v.element.dtype, on, v.shape...)
			scope.Keep(t)
			return nil
		})
	}
	if r := v.storage.record; r.packed == 0 {
		err = p.records.reading(r.at+v.storage.offset+v.offset*v.element.size, v.span(), load)
	} else {
		err = load()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: tensor %.200q: %w", p.Path, name, err)
	}
	return t, nil
}

func (p *PT) readable(name string) (*view, error) {
	v, ok := p.tensors[name]
	switch {
	case !ok:
		return nil, fmt.Errorf("%s: no tensor %.200q", p.Path, name)
	case v.fault != "":
		return nil, fmt.Errorf("%s: tensor %.200q is %s, which Espalier cannot load; the others can be", p.Path, name, v.fault)
	case p.records.mapping.data == nil:
		return nil, fmt.Errorf("%s: tensor %.200q: the file is closed", p.Path, name)
	}
	return v, nil
}

// read is a checked view's elements in order.
func (p *PT) read(v *view) ([]byte, error) {
	span := v.span()
	if span == 0 {
		return []byte{}, nil
	}
	data, err := p.records.content(v.storage.record)
	if err != nil {
		return nil, err
	}
	from := v.storage.offset + v.offset*v.element.size
	data = data[from : from+span : from+span]
	if v.inOrder() {
		return data, nil
	}
	return v.gather(data), nil
}

// Close unmaps the file. Loaded tensors stay.
func (p *PT) Close() error { return p.records.close() }
