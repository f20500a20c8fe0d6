package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// The magic number 0x1950a86a20f9469cfc6c and the version of the format, which torch.save wrote up to PyTorch 1.5, and
// writes with _use_new_zipfile_serialization=False.
const (
	legacyMagic   = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"
	legacyVersion = 1001
)

func isLegacy(head []byte, _ int64) bool {
	return len(head) > 0 && head[0] == 0x80 && bytes.Contains(head[:min(len(head), 32)], []byte(legacyMagic))
}

// openLegacy opens a stream of five pickles (magic number, version, the machine that wrote it, the value, the storages'
// keys) and the storages, each behind its number of elements.
func openLegacy(path, key string) (Source, error) {
	m, err := openMapping(path)
	if err != nil {
		return nil, err
	}
	p, err := readLegacy(path, key, m)
	if err != nil {
		m.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// legacy is the stream while it is read: the storages' places are known last.
type legacy struct {
	roots map[string]*storage // by key
}

func readLegacy(path, key string, m *mapping) (*PT, error) {
	machine := newPickle(m.data)
	if err := checkLegacyHeader(machine); err != nil {
		return nil, err
	}
	l := &legacy{roots: map[string]*storage{}}
	machine.persistent = l.storage
	top, err := machine.load()
	if err != nil {
		return nil, err
	}
	keys, err := machine.load()
	if err != nil {
		return nil, fmt.Errorf("the storages' keys: %w", err)
	}
	if err := l.place(items(keys), m.file, int64(machine.at), int64(len(m.data))); err != nil {
		return nil, err
	}
	form := "state dict"
	if d, ok := top.(*dict); !ok || !mostlyTensors(d) {
		form = "checkpoint"
	}
	return newPT(path, "PyTorch "+form+" (legacy)", key, top, &records{mapping: m}, nil)
}

func checkLegacyHeader(machine *pickle) error {
	magic, err := machine.load()
	if err != nil {
		return err
	}
	if b, ok := magic.(long); !ok || string(b) != legacyMagic {
		return errors.New("not PyTorch's magic number")
	}
	version, err := machine.load()
	if err != nil {
		return err
	}
	if version != any(int64(legacyVersion)) {
		return fmt.Errorf("version %v of the legacy format is not known, only %d", version, legacyVersion)
	}
	system, err := machine.load()
	if err != nil {
		return err
	}
	if d, ok := system.(*dict); ok {
		for i, k := range d.keys {
			if k == any("little_endian") && d.values[i] != any(true) {
				return errors.New("written on a big-endian machine: only little-endian files can be read")
			}
		}
	}
	return nil
}

// storage answers ('storage', type, key, location, number of elements, view), where view is None or (key, offset, number)
// of a part of the storage.
func (l *legacy) storage(id any) (any, error) {
	s, key, err := parseStorage(id)
	if err != nil {
		return nil, err
	}
	root := l.roots[key]
	if root == nil {
		root = s
		root.record = &record{}
		l.roots[key] = root
	}
	if s.bytes != root.bytes {
		return nil, fmt.Errorf("storage %s has %d bytes and %d", key, root.bytes, s.bytes)
	}
	s.record = root.record
	part, ok := argument[tuple](id.(tuple), 5)
	if !ok {
		return s, nil
	}
	offset, ok1 := argument[int64](part, 1)
	count, ok2 := argument[int64](part, 2)
	held := s.bytes / s.element.size
	if !ok1 || !ok2 || offset < 0 || count < 0 || offset > held || count > held-offset {
		return nil, fmt.Errorf("storage %s has no part %s", key, kind(part))
	}
	return &storage{element: s.element, offset: offset * s.element.size, bytes: count * s.element.size, record: s.record}, nil
}

// place finds the storages behind the pickles. The numbers of elements are read from the file: through the mapping, each
// would bring in the pages around it.
func (l *legacy) place(keys []any, file io.ReaderAt, at, size int64) error {
	for _, k := range keys {
		key, _ := k.(string)
		s := l.roots[key]
		if s == nil {
			return fmt.Errorf("a storage %q that no tensor has", key)
		}
		if s.record.at > 0 {
			return fmt.Errorf("storage %q is there twice", key)
		}
		var count [8]byte
		if _, err := file.ReadAt(count[:], at); err != nil {
			return fmt.Errorf("storage %q lies outside the file's %d bytes; is the download complete?", key, size)
		}
		at += 8
		if n := unsigned(count[:]); n != uint64(s.bytes/s.element.size) {
			return fmt.Errorf("storage %q has %d elements, its tensors think %d", key, n, s.bytes/s.element.size)
		}
		if s.bytes > size-at {
			return fmt.Errorf("storage %q of %d bytes lies outside the file's %d; is the download complete?", key, s.bytes, size)
		}
		s.record.at, s.record.size = at, s.bytes
		at += s.bytes
	}
	for key, s := range l.roots {
		if s.record.at == 0 {
			return fmt.Errorf("the file has no storage %q; is the download complete?", key)
		}
	}
	if at < size {
		return fmt.Errorf("%d bytes behind the last storage belong to none", size-at)
	}
	return nil
}

// isTar tells the format of torch.save before PyTorch 0.1.10.
func isTar(head []byte, _ int64) bool {
	return len(head) >= 262 && string(head[257:262]) == "ustar"
}

func refuseTar(path, _ string) (Source, error) {
	return nil, fmt.Errorf("%s: a tar archive, the form of torch.save before 2017: "+
		"load it with torch.load in Python and save it again with torch.save", path)
}
