package checkpoint

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strconv"
	"unicode/utf8"

	"espalier/torch"
	"espalier/torch/disk"
)

// ptAlignment is where torch.save puts tensors, so that they can be used from a mapped file.
const ptAlignment = 64

// WritePT writes a file that torch.load reads, with weights_only=True, as an OrderedDict of tensors in alphabetical order:
// a zip archive, as torch.save writes it since PyTorch 1.6, every tensor with a storage of its own, uncompressed and aligned
// to 64 bytes. The file appears whole or not at all, and the same tensors give the same bytes.
func WritePT(path string, tensors map[string]*torch.Tensor) error {
	return CopyPT(path, Tensors(tensors))
}

// CopyPT is WritePT for what another file holds, a tensor at a time.
func CopyPT(path string, from Source) error {
	var infos []Info
	var data []byte
	err := torch.Run(func(*torch.Scope) (err error) { // a tensor in memory may have been freed
		for _, n := range from.Names() {
			info, _ := from.Info(n)
			infos = append(infos, info)
		}
		data, err = pickleTensors(infos)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return disk.WriteWith(path, func(w io.Writer) error {
		a := &archiveWriter{counted: &countingWriter{w: w}}
		a.zip = zip.NewWriter(a.counted)
		for _, r := range []struct{ name, content string }{
			{"data.pkl", string(data)}, {".format_version", "1"}, {".storage_alignment", strconv.Itoa(ptAlignment)}, {"byteorder", "little"},
		} {
			if err := a.add(r.name, int64(len(r.content)), func(w io.Writer) error { _, err := io.WriteString(w, r.content); return err }); err != nil {
				return err
			}
		}
		for i, info := range infos {
			if err := a.add("data/"+strconv.Itoa(i), info.Bytes, func(w io.Writer) error { return writeBytes(w, from, info) }); err != nil {
				return err
			}
		}
		if err := a.add("version", 2, func(w io.Writer) error { _, err := io.WriteString(w, "3\n"); return err }); err != nil {
			return err
		}
		return a.zip.Close()
	})
}

// archiveWriter writes uncompressed members whose content starts at a multiple of ptAlignment.
type archiveWriter struct {
	zip     *zip.Writer
	counted *countingWriter
	tail    int64 // the bytes that the zip package writes behind the last member, once the next begins
}

func (a *archiveWriter) add(name string, size int64, write func(io.Writer) error) error {
	name = "archive/" + name
	if err := a.zip.Flush(); err != nil {
		return err
	}
	const header, field = 30, 4 // of a member, and of its padding, a field called FB as in PyTorch
	start := a.counted.n + a.tail + header + field + int64(len(name))
	padding := (ptAlignment - start%ptAlignment) % ptAlignment
	extra := append([]byte("FB"), byte(padding), 0)
	extra = append(extra, bytes.Repeat([]byte("Z"), int(padding))...)
	w, err := a.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store, Extra: extra})
	if err != nil {
		return err
	}
	if err := a.zip.Flush(); err != nil {
		return err
	}
	before := a.counted.n
	if err := write(w); err != nil {
		return err
	}
	if err := a.zip.Flush(); err != nil {
		return err
	}
	if got := a.counted.n - before; got != size {
		return fmt.Errorf("%d bytes were written, not %d", got, size)
	}
	a.tail = 16 // a descriptor of the size and the checksum
	if size >= math.MaxUint32 {
		a.tail = 24
	}
	return nil
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// pickleTensors is the OrderedDict in Python's pickle protocol 2. What repeats is remembered by number, as in Python.
func pickleTensors(infos []Info) ([]byte, error) {
	storages := map[torch.DType]string{}
	for name, e := range storageElements {
		storages[e.dtype] = name
	}
	w := &pickleWriter{memo: map[string]byte{}}
	w.WriteString("\x80\x02")
	w.global("collections", "OrderedDict")
	w.WriteString(")R(")
	for i, info := range infos {
		if info.DType.Size() == 0 || !utf8.ValidString(info.Name) {
			return nil, fmt.Errorf("tensor %.200q of %v has no place in a PyTorch file", info.Name, info.DType)
		}
		w.text(info.Name)
		w.global("torch._utils", "_rebuild_tensor_v2")
		w.WriteString("((")
		w.once("storage", func() { w.text("storage") })
		w.global("torch", storages[info.DType])
		w.text(strconv.Itoa(i))
		w.once("cpu", func() { w.text("cpu") })
		w.integer(info.Bytes / int64(info.DType.Size()))
		w.WriteString("tQ")
		w.integer(0)
		shape, strides := info.Shape, make([]int, len(info.Shape))
		for k, stride := len(shape)-1, 1; k >= 0; k-- {
			strides[k] = stride
			stride *= max(shape[k], 1)
		}
		w.tuple(shape)
		w.tuple(strides)
		w.WriteString("\x89") // no gradient
		w.global("collections", "OrderedDict")
		w.WriteString(")RtR")
	}
	w.WriteString("u.")
	return w.Bytes(), nil
}

type pickleWriter struct {
	bytes.Buffer
	memo map[string]byte
}

// once writes a value the first time, and then its number.
func (w *pickleWriter) once(key string, write func()) {
	if i, ok := w.memo[key]; ok {
		w.Write([]byte{'h', i})
		return
	}
	write()
	i := byte(len(w.memo)) // there are a dozen
	w.memo[key] = i
	w.Write([]byte{'q', i})
}

func (w *pickleWriter) global(module, name string) {
	w.once(module+"."+name, func() { w.WriteString("c" + module + "\n" + name + "\n") })
}

func (w *pickleWriter) text(s string) {
	w.WriteByte('X')
	w.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(s))))
	w.WriteString(s)
}

func (w *pickleWriter) integer(n int64) {
	if n == int64(int32(n)) {
		w.WriteByte('J')
		w.Write(binary.LittleEndian.AppendUint32(nil, uint32(n)))
		return
	}
	w.WriteString("\x8a\x08")
	w.Write(binary.LittleEndian.AppendUint64(nil, uint64(n)))
}

func (w *pickleWriter) tuple(values []int) {
	w.WriteByte('(')
	for _, v := range values {
		w.integer(int64(v))
	}
	w.WriteByte('t')
}
