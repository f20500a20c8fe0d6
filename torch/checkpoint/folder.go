package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"espalier/torch"
	"espalier/torch/disk"
	"espalier/torch/textfile"
)

// Names of the files of a Hugging Face folder: those of today, and those of before safetensors.
const (
	SingleFile    = "model.safetensors"
	IndexFile     = "model.safetensors.index.json"
	oldSingleFile = "pytorch_model.bin"
	oldIndexFile  = "pytorch_model.bin.index.json"
)

// Folder is the open files of a checkpoint folder: one file, or shards with an index.
type Folder struct {
	Path  string
	key   string
	files []shard
	where map[string]shard // by tensor
}

type shard struct {
	Source
	name string
}

// OpenFolder opens what transformers would: model.safetensors, else the shards that model.safetensors.index.json lists, else
// pytorch_model.bin, else its shards. An index beside a single file is left over from an earlier save and is not read. Shards
// must hold exactly the tensors that their index promises.
func OpenFolder(path string) (*Folder, error) {
	return openFolder(path, "")
}

func openFolder(path, key string) (*Folder, error) {
	f := &Folder{Path: path, key: key, where: map[string]shard{}}
	if err := f.find(); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (f *Folder) find() error {
	for _, name := range []string{SingleFile, IndexFile, oldSingleFile, oldIndexFile} {
		path := filepath.Join(f.Path, name)
		switch _, err := disk.Stat(path); {
		case errors.Is(err, os.ErrNotExist):
		case err != nil:
			return err
		case filepath.Ext(name) != ".json":
			_, err = f.open(name)
			return err
		default:
			if err = f.openShards(path); err != nil {
				err = fmt.Errorf("%s: %w", path, err)
			}
			return err
		}
	}
	missing := &os.PathError{Op: "open", Path: filepath.Join(f.Path, SingleFile), Err: os.ErrNotExist}
	return fmt.Errorf("%w; a checkpoint folder needs it, or %s with its shards, or %s", missing, IndexFile, oldSingleFile)
}

func (f *Folder) open(name string) (Source, error) {
	opened, err := Open(filepath.Join(f.Path, name), f.key)
	if err != nil {
		return nil, err
	}
	s := shard{opened, name}
	f.files = append(f.files, s)
	for _, n := range s.Names() {
		if other, twice := f.where[n]; twice {
			return nil, fmt.Errorf("tensor %.200q is in %s and in %s", n, other.name, name)
		}
		f.where[n] = s
	}
	return s, nil
}

func (f *Folder) openShards(index string) error {
	var content struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	data, err := textfile.Read(index)
	if err == nil {
		err = json.Unmarshal(data, &content)
	}
	if err != nil {
		return err
	}
	ending := filepath.Ext(SingleFile)
	if filepath.Base(index) == oldIndexFile {
		ending = filepath.Ext(oldSingleFile)
	}
	shards := map[string]bool{}
	for _, shard := range content.WeightMap {
		if shard != filepath.Base(shard) || !strings.HasSuffix(shard, ending) {
			return fmt.Errorf("the shard %.200q is no %s file of the folder", shard, strings.TrimPrefix(ending, "."))
		}
		shards[shard] = true
	}
	names := slices.Sorted(maps.Keys(shards))
	if err := f.present(names); err != nil {
		return err
	}
	for _, name := range names {
		s, err := f.open(name)
		if err != nil {
			return err
		}
		for _, tensor := range s.Names() {
			if content.WeightMap[tensor] != name {
				return fmt.Errorf("%s holds tensor %.200q, which the index does not place there", name, tensor)
			}
		}
	}
	for tensor, shard := range content.WeightMap {
		if _, ok := f.where[tensor]; !ok {
			return fmt.Errorf("%s has no tensor %.200q; is the download complete?", shard, tensor)
		}
	}
	return nil
}

// present names the shards that are not in the folder.
func (f *Folder) present(shards []string) error {
	var missing []string
	for _, name := range shards {
		if _, err := os.Stat(filepath.Join(f.Path, name)); errors.Is(err, os.ErrNotExist) {
			missing = append(missing, name)
		}
	}
	const shown = 3
	switch n := len(missing); {
	case n == 0:
		return nil
	case n > shown:
		missing = append(missing[:shown], fmt.Sprintf("and %d more", n-shown))
		fallthrough
	default:
		return fmt.Errorf("%d of the %d shards that it lists are not there (%s); is the download complete?", n, len(shards), strings.Join(missing, ", "))
	}
}

// Format is that of the files, with the number of shards.
func (f *Folder) Format() string {
	if len(f.files) == 1 {
		return f.files[0].Format()
	}
	return fmt.Sprintf("%s, %d shards", f.files[0].Format(), len(f.files))
}

// Names lists the tensors in alphabetical order.
func (f *Folder) Names() []string {
	return slices.Sorted(maps.Keys(f.where))
}

// Info describes a tensor; ok is false when there is none of that name.
func (f *Folder) Info(name string) (info Info, ok bool) {
	if s, ok := f.where[name]; ok {
		return s.Info(name)
	}
	return Info{}, false
}

// Bytes are a tensor's elements in the mapped file, until Close; nil when there is none of that name.
func (f *Folder) Bytes(name string) []byte {
	if s, ok := f.where[name]; ok {
		return s.Bytes(name)
	}
	return nil
}

// Load copies a tensor to the device.
func (f *Folder) Load(name string, on torch.Device) (*torch.Tensor, error) {
	s, ok := f.where[name]
	if !ok {
		return nil, fmt.Errorf("%s: no tensor %.200q", f.Path, name)
	}
	return s.Load(name, on)
}

// Close unmaps the files. Loaded tensors stay.
func (f *Folder) Close() error {
	var faults []error
	for _, s := range f.files {
		faults = append(faults, s.Close())
	}
	return errors.Join(faults...)
}
