package checkpoint

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"

	"espalier/torch"
)

// WriteSafeTensors writes tensors in alphabetical order of their names. The file appears whole or not at all: it is
// written beside, synced and renamed. The same tensors give the same bytes.
func WriteSafeTensors(path string, tensors map[string]*torch.Tensor, metadata map[string]string) error {
	names := make([]string, 0, len(tensors))
	for n := range tensors {
		names = append(names, n)
	}
	// As the reference implementation: the widest elements first, so that each tensor is aligned to its element.
	sort.Slice(names, func(i, j int) bool {
		a, b := tensors[names[i]].DType().Size(), tensors[names[j]].DType().Size()
		if a != b {
			return a > b
		}
		return names[i] < names[j]
	})
	header, err := makeHeader(names, tensors, metadata)
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
			raw, err := rawBytes(tensors[n])
			if err != nil {
				return err
			}
			if _, err := w.Write(raw); err != nil {
				return err
			}
		}
		return nil
	})
}

func rawBytes(t *torch.Tensor) (raw []byte, err error) {
	err = torch.Run(func(*torch.Scope) error {
		raw = t.Raw()
		return nil
	})
	return raw, err
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
		to := at + int64(t.Bytes())
		if err := add(n, entry{DType: byType[t.DType()], Shape: t.Shape(), Offsets: [2]int64{at, to}}); err != nil {
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
func WriteFile(path string, write func(io.Writer) error) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
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
