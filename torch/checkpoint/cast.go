package checkpoint

import "espalier/torch"

// Cast is a source whose floating-point tensors are seen in another dtype.
type Cast struct {
	Source
	To torch.DType
}

// Info describes a tensor as it is seen.
func (c Cast) Info(name string) (Info, bool) {
	info, ok := c.Source.Info(name)
	if ok && info.DType.IsFloat() {
		info.Bytes = info.Bytes / int64(info.DType.Size()) * int64(c.To.Size())
		info.DType = c.To
	}
	return info, ok
}

// Bytes are a tensor's elements; nil also when it cannot be read.
func (c Cast) Bytes(name string) (data []byte) {
	info, ok := c.Source.Info(name)
	if !ok || info.DType == c.To || !info.DType.IsFloat() {
		return c.Source.Bytes(name)
	}
	t, err := c.Load(name, torch.CPU)
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
func (c Cast) Load(name string, on torch.Device) (out *torch.Tensor, err error) {
	t, err := c.Source.Load(name, on)
	if err != nil || t.DType() == c.To || !t.DType().IsFloat() {
		return t, err
	}
	defer t.Free()
	err = torch.Run(func(s *torch.Scope) error {
		out = t.To(c.To)
		s.Keep(out)
		return nil
	})
	return out, err
}
