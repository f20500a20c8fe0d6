package checkpoint

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"espalier/torch"
	"espalier/torch/disk"
)

// WriteSafeTensors writes tensors in alphabetical order of their names, those with wider elements first. The file
// appears whole or not at all: it is written beside, synced and renamed. The same tensors give the same bytes.
func WriteSafeTensors(path string, tensors map[string]*torch.Tensor, metadata map[string]string) error {
	return CopySafeTensors(path, Tensors(tensors), metadata)
}

// CopySafeTensors is WriteSafeTensors for what another file holds, a tensor at a time.
func CopySafeTensors(path string, from Source, metadata map[string]string) error {
	var order []Info
	var header []byte
	err := torch.Run(func(*torch.Scope) (err error) { // a tensor in memory may have been freed
		order = inFileOrder(from)
		header, err = makeHeader(order, metadata)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return disk.WriteWith(path, func(w io.Writer) error {
		if err := binary.Write(w, binary.LittleEndian, uint64(len(header))); err != nil {
			return err
		}
		if _, err := w.Write(header); err != nil {
			return err
		}
		for _, info := range order {
			if err := writeBytes(w, from, info); err != nil {
				return err
			}
		}
		return nil
	})
}

// writeBytes writes a tensor's elements.
func writeBytes(w io.Writer, from Source, info Info) error {
	data := from.Bytes(info.Name)
	if int64(len(data)) != info.Bytes {
		return fmt.Errorf("tensor %.200q: %d bytes could be read of %d; is the file damaged?", info.Name, len(data), info.Bytes)
	}
	_, err := w.Write(data)
	return err
}

// inFileOrder is the reference implementation's order: the widest elements first, so that each tensor is aligned to its
// element.
func inFileOrder(from Source) []Info {
	var order []Info
	for _, n := range from.Names() {
		info, _ := from.Info(n)
		order = append(order, info)
	}
	slices.SortStableFunc(order, func(a, b Info) int { return b.DType.Size() - a.DType.Size() })
	return order
}

// makeHeader keeps the order of names, which a Go map would lose; it is padded to a multiple of 8.
func makeHeader(order []Info, metadata map[string]string) ([]byte, error) {
	byType := make(map[torch.DType]string, len(dtypeNames))
	for name, d := range dtypeNames {
		byType[d] = name
	}
	header := []byte("{")
	add := func(key string, value any) error {
		k, _ := json.Marshal(key)
		v, err := json.Marshal(value)
		if err != nil {
			return err
		}
		if len(header) > 1 {
			header = append(header, ',')
		}
		header = append(append(append(header, k...), ':'), v...)
		return nil
	}
	if len(metadata) > 0 {
		if err := add("__metadata__", metadata); err != nil {
			return nil, err
		}
	}
	at := int64(0)
	for _, info := range order {
		dtype, ok := byType[info.DType]
		if !ok || info.Name == "__metadata__" {
			return nil, fmt.Errorf("tensor %.200q of %v has no place in a safetensors file", info.Name, info.DType)
		}
		shape := info.Shape
		if shape == nil {
			shape = []int{} // a scalar's is [], not null
		}
		to := at + info.Bytes
		if err := add(info.Name, entry{DType: dtype, Shape: shape, Offsets: []int64{at, to}}); err != nil {
			return nil, err
		}
		at = to
	}
	header = append(header, '}')
	for len(header)%8 != 0 {
		header = append(header, ' ')
	}
	return header, nil
}
