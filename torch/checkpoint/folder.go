package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"espalier/torch"
)

// Names of the files of a Hugging Face folder.
const (
	SingleFile = "model.safetensors"
	IndexFile  = "model.safetensors.index.json"
)

// Folder is the open safetensors files of a checkpoint folder: one file, or shards with an index.
type Folder struct {
	Path  string
	files []*SafeTensors
	where map[string]*SafeTensors // by tensor
}

// OpenFolder opens model.safetensors, or the shards that model.safetensors.index.json lists; the shards must hold
// exactly the tensors that the index promises.
func OpenFolder(path string) (*Folder, error) {
	f := &Folder{Path: path, where: map[string]*SafeTensors{}}
	index := filepath.Join(path, IndexFile)
	data, err := os.ReadFile(index)
	switch {
	case errors.Is(err, os.ErrNotExist):
		_, err = f.open(SingleFile)
		if errors.Is(err, os.ErrNotExist) {
			err = fmt.Errorf("%w; a checkpoint folder needs it, or %s with its shards", err, IndexFile)
		}
	case err == nil:
		if err = f.openShards(data); err != nil {
			err = fmt.Errorf("%s: %w", index, err)
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (f *Folder) open(name string) (*SafeTensors, error) {
	s, err := OpenSafeTensors(filepath.Join(f.Path, name))
	if err != nil {
		return nil, err
	}
	f.files = append(f.files, s)
	for _, n := range s.Names() {
		if other := f.where[n]; other != nil {
			return nil, fmt.Errorf("tensor %q is in %s and in %s", n, filepath.Base(other.Path), name)
		}
		f.where[n] = s
	}
	return s, nil
}

func (f *Folder) openShards(index []byte) error {
	var content struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(index, &content); err != nil {
		return err
	}
	shards := map[string]bool{}
	for _, shard := range content.WeightMap {
		if shard != filepath.Base(shard) || !strings.HasSuffix(shard, ".safetensors") {
			return fmt.Errorf("the shard %q is no safetensors file of the folder", shard)
		}
		shards[shard] = true
	}
	names := make([]string, 0, len(shards))
	for s := range shards {
		names = append(names, s)
	}
	sort.Strings(names)
	for _, name := range names {
		s, err := f.open(name)
		if err != nil {
			return err
		}
		for _, tensor := range s.Names() {
			if content.WeightMap[tensor] != name {
				return fmt.Errorf("%s holds tensor %q, which the index does not place there", name, tensor)
			}
		}
	}
	for tensor, shard := range content.WeightMap {
		if f.where[tensor] == nil {
			return fmt.Errorf("%s lacks tensor %q; is the download complete?", shard, tensor)
		}
	}
	return nil
}

// Format is "safetensors", with the number of shards.
func (f *Folder) Format() string {
	if len(f.files) == 1 {
		return f.files[0].Format()
	}
	return fmt.Sprintf("safetensors, %d shards", len(f.files))
}

// Names lists the tensors in alphabetical order.
func (f *Folder) Names() []string {
	names := make([]string, 0, len(f.where))
	for n := range f.where {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// Info describes a tensor; ok is false when there is none of that name.
func (f *Folder) Info(name string) (info Info, ok bool) {
	if s := f.where[name]; s != nil {
		return s.Info(name)
	}
	return Info{}, false
}

// Bytes are a tensor's elements in the mapped file, until Close; nil when there is none of that name.
func (f *Folder) Bytes(name string) []byte {
	if s := f.where[name]; s != nil {
		return s.Bytes(name)
	}
	return nil
}

// Load copies a tensor to the device.
func (f *Folder) Load(name string, on torch.Device) (*torch.Tensor, error) {
	s := f.where[name]
	if s == nil {
		return nil, fmt.Errorf("%s: no tensor %q", f.Path, name)
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
