package checkpoint

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"espalier/torch"
)

// gobTensor is a tensor in an archive: a view of a storage, whose bytes lie in the file.
type gobTensor struct {
	info    Info
	storage []byte
	crc     uint32 // of the storage
	strides []int  // in elements
	offset  int
}

// gobMaxPickle is far above what the description of one tensor takes.
const gobMaxPickle = 64 << 10

// gobStorages are the storages of PyTorch by the dtype of their elements.
var gobStorages = map[string]torch.DType{
	"torch ByteStorage": torch.Uint8, "torch CharStorage": torch.Int8, "torch ShortStorage": torch.Int16,
	"torch IntStorage": torch.Int32, "torch LongStorage": torch.Int64, "torch HalfStorage": torch.Float16,
	"torch BFloat16Storage": torch.BFloat16, "torch FloatStorage": torch.Float32, "torch DoubleStorage": torch.Float64,
	"torch BoolStorage": torch.Bool,
}

// gobArchive reads the zip archive of one tensor: data.pkl describes it, data/<key> is its storage.
func gobArchive(archive []byte) (*gobTensor, error) {
	var z *zip.Reader
	err := gobDirectory(archive)
	if err == nil {
		z, err = zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	}
	if err != nil {
		return nil, fmt.Errorf("%d bytes are not the archive that gotorch writes: %w", len(archive), err)
	}
	records := map[string]*zip.File{}
	for _, f := range z.File {
		_, name, _ := strings.Cut(f.Name, "/") // all records lie in one folder, which torch::pickle_save calls archive
		if records[name] != nil {
			return nil, fmt.Errorf("its archive holds %q twice", name)
		}
		records[name] = f
	}
	record := func(name string) ([]byte, uint32, error) {
		f := records[name]
		if f == nil {
			return nil, 0, fmt.Errorf("its archive has no record %s", name)
		}
		b, err := gobRecord(archive, f)
		return b, f.CRC32, err
	}
	if records["byteorder"] != nil {
		if order, _, err := record("byteorder"); err != nil || string(order) != "little" {
			return nil, fmt.Errorf("byte order %q, only little is read: save it on another machine", order)
		}
	}
	pickle, _, err := record("data.pkl")
	if err != nil {
		return nil, err
	}
	if len(pickle) > gobMaxPickle {
		return nil, fmt.Errorf("its description has %d bytes, at most %d are expected", len(pickle), gobMaxPickle)
	}
	view, err := gobUnpickle(pickle)
	if err != nil {
		return nil, fmt.Errorf("its description (data.pkl): %w", err)
	}
	t := &gobTensor{strides: view.strides, offset: view.offset}
	if t.storage, t.crc, err = record("data/" + view.storage.key); err != nil {
		return nil, err
	}
	return t, t.check(view)
}

// gobDirectory finds out whether the archive ends in a directory of a few records, with no comment behind it. archive/zip
// would make an entry, several times as large as its header, of as many records as there are, whatever their number says.
func gobDirectory(archive []byte) error {
	const endSize, most = 22, 1 << 14
	at := len(archive) - endSize
	if at < 0 || !bytes.HasPrefix(archive[at:], []byte("PK\x05\x06")) {
		return errors.New("it does not end in a directory; is the file complete?")
	}
	size, offset := binary.LittleEndian.Uint32(archive[at+12:]), binary.LittleEndian.Uint32(archive[at+16:])
	if size > most || uint64(offset)+most < uint64(len(archive)) {
		return fmt.Errorf("its directory has %d bytes at %d, a few records near the end are expected", size, offset)
	}
	return nil
}

// gobRecord is a stored, not compressed, file of the archive, in its place.
func gobRecord(archive []byte, f *zip.File) ([]byte, error) {
	at, err := f.DataOffset()
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", f.Name, err)
	}
	size := f.UncompressedSize64
	if f.Method != zip.Store || f.CompressedSize64 != size {
		return nil, fmt.Errorf("record %s is compressed, which gotorch never does", f.Name)
	}
	if at < 0 || at > int64(len(archive)) || size > uint64(int64(len(archive))-at) {
		return nil, fmt.Errorf("record %s: %d bytes lie outside the archive's %d", f.Name, size, len(archive))
	}
	return archive[at : uint64(at)+size], nil
}

// check finds out whether the view lies within its storage.
func (t *gobTensor) check(v gobView) error {
	d, ok := gobStorages[v.storage.kind]
	if !ok {
		return fmt.Errorf("a storage of %s cannot be read", v.storage.kind)
	}
	stored, size := len(t.storage)/d.Size(), d.Size()
	if len(t.storage)%size != 0 || v.storage.count != stored {
		return fmt.Errorf("its storage has %d bytes, %d elements of %v were announced", len(t.storage), v.storage.count, d)
	}
	if len(v.shape) != len(v.strides) {
		return fmt.Errorf("shape %v with strides %v", v.shape, v.strides)
	}
	count, last := 1, v.offset
	for i, n := range v.shape {
		if n < 0 || v.strides[i] < 0 {
			return fmt.Errorf("impossible shape %v with strides %v", v.shape, v.strides)
		}
		if n == 0 {
			count = 0
		}
	}
	for i, n := range v.shape {
		if count == 0 {
			break
		}
		// what is not expanded, as gotorch's parameters never are, has at most the storage's elements: no product overflows
		if n > stored/count {
			return fmt.Errorf("shape %v is more than its storage of %d elements; save a contiguous copy", v.shape, stored)
		}
		count *= n
		if n > 1 {
			if v.strides[i] > stored/(n-1) {
				return fmt.Errorf("shape %v with strides %v leads out of its storage of %d elements", v.shape, v.strides, stored)
			}
			last += (n - 1) * v.strides[i]
		}
	}
	if v.offset > stored || count > 0 && last >= stored {
		return fmt.Errorf("shape %v at %d with strides %v leads out of its storage of %d elements", v.shape, v.offset, v.strides, stored)
	}
	t.info = Info{DType: d, Shape: v.shape, Bytes: int64(count) * int64(size)}
	return nil
}

// elements are in row-major order: a part of the storage, or a copy where the tensor has another order.
func (t *gobTensor) elements() []byte {
	size, n := t.info.DType.Size(), int(t.info.Bytes)
	want, contiguous := 1, true
	for d := len(t.info.Shape) - 1; d >= 0; d-- {
		contiguous = contiguous && (t.info.Shape[d] == 1 || t.strides[d] == want)
		want *= t.info.Shape[d]
	}
	if contiguous || n == 0 {
		return t.storage[t.offset*size : t.offset*size+n : t.offset*size+n]
	}
	out := make([]byte, 0, n)
	for index := make([]int, len(t.strides)); len(out) < n; {
		at := t.offset
		for d, i := range index {
			at += i * t.strides[d]
		}
		out = append(out, t.storage[at*size:(at+1)*size]...)
		for d := len(index) - 1; d >= 0; d-- {
			if index[d]++; index[d] < t.info.Shape[d] {
				break
			}
			index[d] = 0
		}
	}
	return out
}
