package checkpoint

import (
	"fmt"
	"maps"
	"slices"
	"unsafe"

	"espalier/torch"
)

// Tensors are tensors in memory, as a source of what is written. They stay the caller's.
type Tensors map[string]*torch.Tensor

var _ Source = Tensors(nil)

// Format is "tensors in memory".
func (t Tensors) Format() string { return "tensors in memory" }

// Names lists the tensors in alphabetical order.
func (t Tensors) Names() []string { return slices.Sorted(maps.Keys(t)) }

// Info describes a tensor; ok is false when there is none of that name.
func (t Tensors) Info(name string) (Info, bool) {
	v, ok := t[name]
	if !ok {
		return Info{}, false
	}
	return Info{Name: name, DType: v.DType(), Shape: v.Shape(), Bytes: int64(v.Bytes())}, true
}

// Bytes are a tensor's elements, where they are if they lie there in order: a copy of every tensor of a large network
// would wait for Go's collector.
func (t Tensors) Bytes(name string) (data []byte) {
	v, ok := t[name]
	if !ok {
		return nil
	}
	if v.Device() == torch.CPU && v.IsContiguous() && v.Bytes() > 0 {
		return unsafe.Slice((*byte)(v.DataPointer()), v.Bytes())
	}
	if err := torch.Run(func(*torch.Scope) error { data = v.Raw(); return nil }); err != nil {
		return nil
	}
	return data
}

// Load copies a tensor to the device.
func (t Tensors) Load(name string, on torch.Device) (out *torch.Tensor, err error) {
	v, ok := t[name]
	if !ok {
		return nil, fmt.Errorf("no tensor %.200q", name)
	}
	err = torch.Run(func(s *torch.Scope) error {
		out = v.Detach().ToDevice(on).Clone()
		s.Keep(out)
		return nil
	})
	return out, err
}

// Close does nothing: the tensors are the caller's.
func (t Tensors) Close() error { return nil }
