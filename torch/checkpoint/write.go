package checkpoint

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"unsafe"

	"espalier/torch"
)

// WriteSafeTensors writes tensors in alphabetical order of their names, those with wider elements first. The file
// appears whole or not at all: it is written beside, synced and renamed. The same tensors give the same bytes.
func WriteSafeTensors(path string, tensors map[string]*torch.Tensor, metadata map[string]string) error {
	var names []string
	var header []byte
	err := torch.Run(func(*torch.Scope) (err error) {
		names = inFileOrder(tensors)
		header, err = makeHeader(names, tensors, metadata)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return WriteFile(path, func(w io.Writer) error {
		if err := binary.Write(w, binary.LittleEndian, uint64(len(header))); err != nil {
			return err
		}
		if _, err := w.Write(header); err != nil {
			return err
		}
		for _, n := range names {
			if err := writeRaw(w, tensors[n]); err != nil {
				return fmt.Errorf("tensor %q: %w", n, err)
			}
		}
		return nil
	})
}

// inFileOrder is the reference implementation's order: the widest elements first, so that each tensor is aligned to its
// element.
func inFileOrder(tensors map[string]*torch.Tensor) []string {
	names := slices.Sorted(maps.Keys(tensors))
	slices.SortStableFunc(names, func(a, b string) int {
		return tensors[b].DType().Size() - tensors[a].DType().Size()
	})
	return names
}

// writeRaw writes a tensor's elements, from where they are if they lie there in order: a copy of every tensor of a large
// network would wait for Go's collector.
func writeRaw(w io.Writer, t *torch.Tensor) error {
	return torch.Run(func(*torch.Scope) error {
		if t.Device() != torch.CPU || !t.IsContiguous() || t.Bytes() == 0 {
			_, err := w.Write(t.Raw())
			return err
		}
		_, err := w.Write(unsafe.Slice((*byte)(t.DataPointer()), t.Bytes()))
		runtime.KeepAlive(t)
		return err
	})
}

// makeHeader keeps the order of names, which a Go map would lose; it is padded to a multiple of 8.
func makeHeader(names []string, tensors map[string]*torch.Tensor, metadata map[string]string) ([]byte, error) {
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
	for _, n := range names {
		t := tensors[n]
		dtype, ok := byType[t.DType()]
		if !ok || n == "__metadata__" {
			return nil, fmt.Errorf("tensor %q of %v has no place in a safetensors file", n, t.DType())
		}
		to := at + int64(t.Bytes())
		if err := add(n, entry{DType: dtype, Shape: t.Shape(), Offsets: []int64{at, to}}); err != nil {
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

// WriteFile calls write for a file that appears under path only when everything was written and synced.
func WriteFile(path string, write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // what was renamed is not there any more
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := write(w); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
