package checkpoint

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// gobTensor is a tensor in an archive: a view of a storage, whose bytes lie in the file.
type gobTensor struct {
	info    Info
	view    *view
	storage []byte
	crc     uint32 // of the storage
}

// gobMaxPickle is far above what the description of one tensor takes.
const gobMaxPickle = 64 << 10

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
	view, key, err := gobUnpickle(pickle)
	if err != nil {
		return nil, fmt.Errorf("its description (data.pkl): %w", err)
	}
	t := &gobTensor{view: view}
	if t.storage, t.crc, err = record("data/" + key); err != nil {
		return nil, err
	}
	return t, t.check()
}

// gobUnpickle reads the description of a tensor, which calls no more than this takes, and gives the name of its storage.
func gobUnpickle(code []byte) (v *view, key string, err error) {
	p := newPickle(code)
	p.persistent = func(id any) (s any, err error) {
		s, key, err = parseStorage(id)
		return s, err
	}
	p.reduce = func(callable global, args tuple) (any, error) {
		if callable != "torch._utils._rebuild_tensor_v2" && callable != "collections.OrderedDict" {
			return nil, fmt.Errorf("%s is not what gotorch writes of a tensor: refused, no code of a checkpoint is run", callable)
		}
		return p.construct(callable, args)
	}
	top, err := p.load()
	if err != nil {
		return nil, "", err
	}
	v, ok := top.(*view)
	if !ok || v.storage == nil || p.at < len(code) {
		return nil, "", fmt.Errorf("%s is not what gotorch writes of a tensor", kind(top))
	}
	return v, key, nil
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

// check finds out whether the view lies within its storage. gotorch's tensors are never expanded.
func (t *gobTensor) check() error {
	v := t.view
	if v.fault != "" || v.element.dtype.Size() == 0 {
		return fmt.Errorf("a tensor of %s cannot be read", v.element.name)
	}
	if v.storage.bytes != int64(len(t.storage)) {
		return fmt.Errorf("its storage has %d bytes, %d elements of %s were announced", len(t.storage), v.storage.bytes/v.element.size, v.element.name)
	}
	if err := v.check(int64(len(t.storage))); err != nil {
		return err
	}
	t.info = Info{DType: v.element.dtype, Shape: append([]int{}, v.shape...), Bytes: v.bytes()}
	return nil
}

// elements are in row-major order: a part of the storage, or a copy where the tensor has another order.
func (t *gobTensor) elements() []byte {
	span := t.view.span()
	if span == 0 {
		return []byte{}
	}
	from := t.view.offset * t.view.element.size
	data := t.storage[from : from+span : from+span]
	if t.view.inOrder() {
		return data
	}
	return t.view.gather(data)
}
