package checkpoint

import "espalier/torch"

// Source is an open checkpoint of any format. Nothing is read before it is asked for.
type Source interface {
	// Format names the file's form in a few words, such as "safetensors" or "PyTorch state dict (zip)".
	Format() string
	// Names lists the tensors in alphabetical order.
	Names() []string
	// Info describes a tensor; ok is false when there is none of that name.
	Info(name string) (info Info, ok bool)
	// Bytes are a tensor's elements in row-major order, little-endian, until Close; nil when there is none of that name.
	// They lie in the mapped file where the format allows it, and must not be written to.
	Bytes(name string) []byte
	// Load copies a tensor to the device.
	Load(name string, on torch.Device) (*torch.Tensor, error)
	// Close lets go of the file. Loaded tensors stay.
	Close() error
}

var _, _, _ Source = (*SafeTensors)(nil), (*Folder)(nil), (*PT)(nil)
