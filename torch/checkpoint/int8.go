package checkpoint

import (
	"fmt"
	"strings"

	"espalier/torch"
)

// ScaleSuffix stands behind the name of an int8 tensor in that of its scales, one float32 for each row.
const ScaleSuffix = ".int8_scale"

// Plain sees int8 tensors that have scales as the float32 tensors that they stand for.
type Plain struct {
	Source
	held map[string]bool
}

// NewPlain looks for int8 tensors with their scales in a file. Scales that do not fit their tensor are an error.
func NewPlain(files Source) (Plain, error) {
	p := Plain{files, map[string]bool{}}
	for _, name := range files.Names() {
		of, isScale := strings.CutSuffix(name, ScaleSuffix)
		if !isScale {
			continue
		}
		info, ok := files.Info(of)
		scale, _ := files.Info(name)
		switch {
		case !ok || info.DType != torch.Int8:
			return p, fmt.Errorf("%s: there is no int8 tensor %s that these scales would be of", name, of)
		case scale.DType != torch.Float32 || len(scale.Shape) != 1 || scale.Shape[0] != torch.Int8Rows(info.Shape):
			return p, fmt.Errorf("%s: scales of %s are %d values of float32, one for each row, not %v of %v", name, of, torch.Int8Rows(info.Shape), scale.Shape, scale.DType)
		}
		p.held[of] = true
	}
	return p, nil
}

// Held tells whether the file holds a tensor as int8.
func (p Plain) Held(name string) bool { return p.held[name] }

// Any tells whether the file holds any tensor so.
func (p Plain) Any() bool { return len(p.held) > 0 }

// Names are those of the tensors, without scales.
func (p Plain) Names() (names []string) {
	for _, name := range p.Source.Names() {
		if of, isScale := strings.CutSuffix(name, ScaleSuffix); !isScale || !p.held[of] {
			names = append(names, name)
		}
	}
	return names
}

// Info describes a tensor as it is seen.
func (p Plain) Info(name string) (Info, bool) {
	info, ok := p.Source.Info(name)
	if ok && p.held[name] {
		info.DType, info.Bytes = torch.Float32, 4*info.Bytes
	}
	return info, ok
}

// Bytes are a tensor's elements; nil also when it cannot be read.
func (p Plain) Bytes(name string) (data []byte) {
	if !p.held[name] {
		return p.Source.Bytes(name)
	}
	t, err := p.Load(name, torch.CPU)
	if err != nil {
		return nil
	}
	defer t.Free()
	if torch.Run(func(*torch.Scope) error { data = t.Raw(); return nil }) != nil {
		return nil
	}
	return data
}

// Load copies a tensor to the device.
func (p Plain) Load(name string, on torch.Device) (*torch.Tensor, error) {
	if !p.held[name] {
		return p.Source.Load(name, on)
	}
	whole, err := p.Source.Load(name, torch.CPU)
	if err != nil {
		return nil, err
	}
	defer whole.Free()
	scales, err := p.Source.Load(name+ScaleSuffix, torch.CPU)
	if err != nil {
		return nil, err
	}
	defer scales.Free()
	var out *torch.Tensor
	err = torch.Run(func(s *torch.Scope) error {
		out = torch.FromInt8(whole, scales, on)
		s.Keep(out)
		return nil
	})
	return out, err
}
