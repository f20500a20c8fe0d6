package checkpoint

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"espalier/torch"
	"espalier/torch/disk"
)

// gobTypes are the two definitions that every gob of a map[string]gotorch.Tensor begins with, and gobMapID is the
// map's number in them. Written by hand, so that a tensor is not copied into a message first and the same tensors give
// the same bytes: encoding/gob writes a map in random order.
const (
	gobTypes = "\x0f\xff\x81\x04\x01\x02\xff\x82\x00\x01\x0c\x01\xff\x80\x00\x00" + // 65 is map[string]64
		"\x09\x7f\x05\x01\x02\xff\x80\x00\x00\x00" // 64 encodes itself
	gobMapID = "\xff\x82"
)

// gobMaxFile is what encoding/gob reads, 8 GiB in one message.
const gobMaxFile = 1 << 33

// WriteGob writes tensors as a checkpoint of github.com/wangkuiyi/gotorch, in alphabetical order of their names, which
// must be those of the module's StateDict, such as "MLPModule.FC1.Weight": gob.Decode into a map[string]gotorch.Tensor
// and SetStateDict read it back. Each tensor tells whether it asks for a gradient, as with gotorch. The file appears
// whole or not at all; the same tensors give the same bytes.
func WriteGob(path string, tensors map[string]*torch.Tensor) error {
	return CopyGob(path, Tensors(tensors))
}

// CopyGob is WriteGob for what another file holds, a tensor at a time; those ask for no gradient.
func CopyGob(path string, from Source) error {
	var entries []gobEntry
	length := int64(len(gobMapID) + 1)
	err := torch.Run(func(*torch.Scope) error { // a tensor in memory may have been freed
		names := from.Names()
		length += int64(len(gobUint(uint64(len(names)))))
		for _, n := range names {
			e, err := newGobEntry(n, from)
			if err != nil {
				return fmt.Errorf("tensor %.200q: %w", n, err)
			}
			entries = append(entries, e)
			length += int64(len(e.head)) + e.size
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if length >= gobMaxFile {
		return fmt.Errorf("%s: %d bytes, gob reads less than %d; write safetensors", path, length, int64(gobMaxFile))
	}
	return disk.WriteWith(path, func(w io.Writer) error {
		head := append([]byte(gobTypes), gobUint(uint64(length))...)
		head = append(append(append(head, gobMapID...), 0), gobUint(uint64(len(entries)))...)
		if _, err := w.Write(head); err != nil {
			return err
		}
		for _, e := range entries {
			if _, err := w.Write(e.head); err != nil {
				return err
			}
			if err := e.write(w, func(w io.Writer) error { return writeBytes(w, from, e.info) }); err != nil {
				return fmt.Errorf("tensor %.200q: %w", e.info.Name, err)
			}
		}
		return nil
	})
}

// gobEntry is a tensor of the map.
type gobEntry struct {
	info   Info
	pickle []byte
	size   int64  // of the archive
	head   []byte // name and size
}

func newGobEntry(name string, from Source) (e gobEntry, err error) {
	t, memory := from.(Tensors)
	if memory && t[name] == nil {
		return e, errors.New("there is none: initialise or load the network first")
	}
	e.info, _ = from.Info(name)
	if e.pickle, err = gobPickle(e.info, memory && t[name].RequiresGrad()); err != nil {
		return e, err
	}
	var n gobCounter
	if err := e.write(&n, func(io.Writer) error { return nil }); err != nil {
		return e, err
	}
	if e.size = int64(n) + e.info.Bytes; e.size > math.MaxInt32 {
		return e, fmt.Errorf("%d bytes, gotorch reads at most %d of a tensor; write safetensors", e.size, math.MaxInt32)
	}
	e.head = append(append(gobUint(uint64(len(name))), name...), gobUint(uint64(e.size))...)
	return e, nil
}

// gobUint is gob's form of a number.
func gobUint(v uint64) []byte {
	if v < 0x80 {
		return []byte{byte(v)}
	}
	b := bytes.TrimLeft(binary.BigEndian.AppendUint64(nil, v), "\x00")
	return append([]byte{byte(-len(b))}, b...)
}

type gobCounter int64

func (n *gobCounter) Write(b []byte) (int, error) {
	*n += gobCounter(len(b))
	return len(b), nil
}

// write writes the tensor as torch::pickle_save does, but for the empty bytes with which that aligns the storage.
func (e gobEntry) write(w io.Writer, elements func(io.Writer) error) error {
	z := zip.NewWriter(w)
	for _, record := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{"data.pkl", func(w io.Writer) error { _, err := w.Write(e.pickle); return err }},
		{"data/0", elements},
		{"version", func(w io.Writer) error { _, err := io.WriteString(w, "3\n"); return err }},
		{"byteorder", func(w io.Writer) error { _, err := io.WriteString(w, "little"); return err }},
	} {
		into, err := z.CreateHeader(&zip.FileHeader{Name: "archive/" + record.name, Method: zip.Store})
		if err != nil {
			return err
		}
		if err := record.write(into); err != nil {
			return err
		}
	}
	return z.Close()
}

// gobPickle describes a tensor in row-major order.
func gobPickle(info Info, requiresGrad bool) ([]byte, error) {
	kind := ""
	for name, e := range storageElements {
		if e.dtype == info.DType && info.DType.Size() > 0 {
			kind = name
		}
	}
	if kind == "" {
		return nil, fmt.Errorf("a tensor of %v has no place in a gotorch checkpoint", info.DType)
	}
	shape := info.Shape
	count, strides := 1, make([]int, len(shape))
	for i := len(shape) - 1; i >= 0; i-- {
		strides[i] = max(count, 1)
		count *= shape[i]
	}
	var b bytes.Buffer
	b.WriteString("\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((")
	gobText(&b, "storage")
	fmt.Fprintf(&b, "ctorch\n%s\n", kind)
	gobText(&b, "0")
	gobText(&b, "cpu")
	gobInts(&b, count)
	b.WriteString("tQ")
	gobInts(&b, 0)
	for _, list := range [][]int{shape, strides} {
		b.WriteByte('(')
		gobInts(&b, list...)
		b.WriteByte('t')
	}
	if requiresGrad {
		b.WriteByte(0x88)
	} else {
		b.WriteByte(0x89)
	}
	b.WriteString("ccollections\nOrderedDict\n)RtR.")
	return b.Bytes(), nil
}

func gobText(b *bytes.Buffer, s string) {
	b.WriteByte('X')
	b.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(s))))
	b.WriteString(s)
}

func gobInts(b *bytes.Buffer, numbers ...int) {
	for _, n := range numbers {
		b.WriteString("\x8a\x08") // LONG1 of 8 bytes
		b.Write(binary.LittleEndian.AppendUint64(nil, uint64(n)))
	}
}
