package checkpoint

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// openArchiveFile opens what torch.save (since 1.6), torch.jit.save and libtorch's torch::save write: zip archives with a
// pickle, and a record for each storage.
func openArchiveFile(path, key string) (Source, error) {
	m, err := openMapping(path)
	if err != nil {
		return nil, err
	}
	p, err := readArchive(path, key, m)
	if err != nil {
		m.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

func readArchive(path, key string, m *mapping) (*PT, error) {
	r, err := openArchive(m)
	if err != nil {
		return nil, err
	}
	if order, ok, err := r.read("byteorder"); err != nil || ok && string(order) != "little" {
		return nil, errors.Join(err, fmt.Errorf("byte order %.10q: only little-endian files can be read", order))
	}
	data, ok, err := r.read("data.pkl")
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, r.noPickle()
	}
	machine := newPickle(data)
	machine.persistent = r.storage
	top, err := machine.load()
	if err != nil {
		return nil, fmt.Errorf("data.pkl: %w", err)
	}
	if machine.at < len(data) {
		return nil, fmt.Errorf("data.pkl: %d bytes behind the pickle's end", len(data)-machine.at)
	}
	if r.last == r.named["data.pkl"] {
		r.last, r.unpack = nil, nil
	}
	if module, ok := top.(*object); ok && strings.HasPrefix(string(module.class), "__torch__.") {
		return newScript(path, key, module, r)
	}
	form := "state dict"
	if d, ok := top.(*dict); !ok || !mostlyTensors(d) {
		form = "checkpoint"
	}
	return newPT(path, "PyTorch "+form+" (zip)", key, top, r, nil)
}

func mostlyTensors(d *dict) bool {
	n := 0
	for _, v := range d.values {
		if isTensor(v) {
			n++
		}
	}
	return n > 0 && 2*n >= len(d.values)
}

func (r *records) noPickle() error {
	if r.named["model.json"] != nil {
		return errors.New("a TorchScript archive of before PyTorch 1.4: load it with torch.jit.load and save it again")
	}
	names := slices.Sorted(maps.Keys(r.named))
	if len(names) > 8 {
		names = append(names[:8], "…")
	}
	return fmt.Errorf("a zip archive without data.pkl is none of PyTorch's; it holds %s", strings.Join(names, ", "))
}

// storage answers a pickle's ('storage', type, key, location, number of elements).
func (r *records) storage(id any) (any, error) {
	s, key, err := parseStorage(id)
	if err != nil {
		return nil, err
	}
	s.record = r.named["data/"+key]
	if s.record == nil {
		return nil, fmt.Errorf("the archive has no data/%s; is the download complete?", key)
	}
	if s.bytes > s.record.size {
		return nil, fmt.Errorf("storage %s needs %d bytes, data/%s has %d", key, s.bytes, key, s.record.size)
	}
	return s, nil
}

func parseStorage(id any) (s *storage, key string, err error) {
	t, _ := id.(tuple)
	kind, _ := argument[string](t, 0)
	class, ok1 := argument[global](t, 1)
	key, ok2 := argument[string](t, 2)
	count, ok3 := argument[int64](t, 4)
	if kind == "module" && ok1 {
		return nil, "", fmt.Errorf("the file wants to build a %s, which is refused: no code of a checkpoint is run; "+
			"in Python, save the state_dict alone: torch.save(model.state_dict(), path)", class)
	}
	if kind != "storage" || !ok1 || !ok2 || !ok3 {
		return nil, "", errors.New("a persistent object that is no storage")
	}
	name := string(class[strings.LastIndexByte(string(class), '.')+1:])
	e, ok := storageElements[name]
	if !ok || !strings.HasPrefix(string(class), "torch.") {
		return nil, "", fmt.Errorf("a storage of type %s, which is not known", class)
	}
	if count < 0 || count > 1<<56/e.size {
		return nil, "", fmt.Errorf("a storage of %d elements", count)
	}
	return &storage{element: e, bytes: count * e.size}, key, nil
}
