package checkpoint

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"espalier/torch"
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
	names := slices.Sorted(maps.Keys(tensors))
	length := int64(len(gobMapID)+1) + int64(len(gobUint(uint64(len(names)))))
	sizes := make(map[string]int64, len(names))
	err := torch.Run(func(*torch.Scope) error {
		for _, n := range names {
			size, err := gobArchiveSize(tensors[n])
			if err != nil {
				return fmt.Errorf("tensor %q: %w", n, err)
			}
			sizes[n] = size
			length += int64(len(gobUint(uint64(len(n))))+len(n)+len(gobUint(uint64(size)))) + size
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if length >= gobMaxFile {
		return fmt.Errorf("%s: %d bytes, gob reads less than %d; write safetensors", path, length, int64(gobMaxFile))
	}
	return WriteFile(path, func(w io.Writer) error {
		head := append([]byte(gobTypes), gobUint(uint64(length))...)
		head = append(append(append(head, gobMapID...), 0), gobUint(uint64(len(names)))...)
		if _, err := w.Write(head); err != nil {
			return err
		}
		for _, n := range names {
			entry := append(append(gobUint(uint64(len(n))), n...), gobUint(uint64(sizes[n]))...)
			if _, err := w.Write(entry); err != nil {
				return err
			}
			if err := gobWriteArchive(w, tensors[n], writeRaw); err != nil {
				return fmt.Errorf("tensor %q: %w", n, err)
			}
		}
		return nil
	})
}

// gobUint is gob's form of a number.
func gobUint(v uint64) []byte {
	if v < 0x80 {
		return []byte{byte(v)}
	}
	b := bytes.TrimLeft(binary.BigEndian.AppendUint64(nil, v), "\x00")
	return append([]byte{byte(-len(b))}, b...)
}

// gobArchiveSize is what gobWriteArchive will write.
func gobArchiveSize(t *torch.Tensor) (int64, error) {
	var n gobCounter
	if err := gobWriteArchive(&n, t, func(io.Writer, *torch.Tensor) error { return nil }); err != nil {
		return 0, err
	}
	size := int64(n) + int64(t.Bytes())
	if size > math.MaxInt32 {
		return 0, fmt.Errorf("%d bytes, gotorch reads at most %d of a tensor; write safetensors", size, math.MaxInt32)
	}
	return size, nil
}

type gobCounter int64

func (n *gobCounter) Write(b []byte) (int, error) {
	*n += gobCounter(len(b))
	return len(b), nil
}

// gobWriteArchive writes a tensor as torch::pickle_save does, but for the empty bytes with which that aligns the storage.
func gobWriteArchive(w io.Writer, t *torch.Tensor, elements func(io.Writer, *torch.Tensor) error) error {
	pickle, err := gobPickle(t)
	if err != nil {
		return err
	}
	z := zip.NewWriter(w)
	for _, record := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{"data.pkl", func(w io.Writer) error { _, err := w.Write(pickle); return err }},
		{"data/0", func(w io.Writer) error { return elements(w, t) }},
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
func gobPickle(t *torch.Tensor) ([]byte, error) {
	if t == nil {
		return nil, fmt.Errorf("there is none: initialise or load the network first")
	}
	kind := ""
	for name, d := range gobStorages {
		if d == t.DType() {
			kind = name[len("torch "):]
		}
	}
	if kind == "" {
		return nil, fmt.Errorf("a tensor of %v has no place in a gotorch checkpoint", t.DType())
	}
	shape := t.Shape()
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
	if t.RequiresGrad() {
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
