package rows

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"espalier/torch/disk"
)

// place is where a form may stand in a data set's folder: a file of that name, or with many, all files whose names begin and end so.
// {} is the split.
type place struct {
	form              Form
	folder, name, end string
	many              bool
}

var splitPlaces = []place{
	{form: Lines, folder: "{}", name: "metadata.jsonl"},
	{form: Table, folder: "{}", name: "metadata.csv"},
	{form: Lines, name: "{}.jsonl"},
	{form: Table, name: "{}.csv"},
	{form: List, name: "{}.json"},
	{form: Shards, name: "{}.tar"},
	{form: Shards, name: "{}-", end: ".tar", many: true},
	{form: Shards, folder: "{}", end: ".tar", many: true},
	{form: Parquet, name: "{}.parquet"},
	{form: Parquet, name: "{}-", end: ".parquet", many: true},
	{form: Parquet, folder: "{}", end: ".parquet", many: true},
	{form: Parquet, folder: "data", name: "{}-", end: ".parquet", many: true},
}

// files are those of a place, by name.
func (p place) files(root, split string) (files []string, err error) {
	fill := func(text string) string { return strings.ReplaceAll(text, "{}", split) }
	folder := filepath.Join(root, fill(p.folder))
	if !p.many {
		path := filepath.Join(folder, fill(p.name))
		if _, err = disk.Stat(path); errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			return nil, nil
		}
		return []string{path}, err
	}
	names, err := namesIn(folder)
	for _, name := range names {
		if strings.HasPrefix(name, fill(p.name)) && strings.HasSuffix(name, p.end) {
			files = append(files, filepath.Join(folder, name))
		}
	}
	return files, err
}

// namesIn are the names in a folder, but for hidden ones, in order; none where there is no such folder.
func namesIn(folder string) (names []string, err error) {
	if info, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || err == nil && !info.IsDir() {
		return nil, nil
	}
	entries, err := os.ReadDir(folder)
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// Find gives the source of a split, or nil where there is none. Two are a fault.
func Find(root, split string, bad Faults) *Source {
	var found []Source
	for _, p := range splitPlaces {
		files, err := p.files(root, split)
		if err != nil && len(files) > 0 {
			return &Source{p.form, files} // reading it says what is wrong
		}
		if err != nil {
			bad.Add(filepath.Join(root, split), "cannot be read (%v)", err)
		}
		if len(files) > 0 {
			found = append(found, Source{p.form, files})
		}
	}
	return one(found, root, "the split "+split, bad)
}

func one(found []Source, root, what string, bad Faults) *Source {
	switch len(found) {
	case 0:
		return nil
	case 1:
		return &found[0]
	}
	var names []string
	for _, s := range found {
		names = append(names, s.Files[0])
	}
	bad.Add(root, "%s is there more than once (%s); keep one", what, strings.Join(names, ", "))
	return &found[0]
}

// otherFiles are JSON files that say something about a data set and not what is in it.
var otherFiles = []string{"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "info.json"}

// Single gives the only source of a data set that is not split: the root itself where it is a file, or what its folder holds under any
// name; shards and Parquet files are one source together. Several are a fault.
func Single(root string, bad Faults) *Source {
	info, err := os.Stat(root)
	if err != nil {
		return nil
	}
	if !info.IsDir() {
		form, ok := FormOf(root)
		if !ok {
			bad.Add(root, "this file's form is not known by its name; it must end in %s", strings.Join(formEnds(), ", "))
			return nil
		}
		return &Source{form, []string{root}}
	}
	var found []Source
	for _, folder := range []string{root, filepath.Join(root, "data")} {
		names, err := namesIn(folder)
		if err != nil {
			bad.Add(folder, "cannot be read (%v)", err)
		}
		for _, name := range names {
			form, ok := FormOf(name)
			if !ok || slices.Contains(otherFiles, name) {
				continue
			}
			path := filepath.Join(folder, name)
			if last := len(found) - 1; last >= 0 && (form == Shards || form == Parquet) && found[last].Form == form && filepath.Dir(found[last].Files[0]) == folder {
				found[last].Files = append(found[last].Files, path)
			} else {
				found = append(found, Source{form, []string{path}})
			}
		}
	}
	return one(found, root, "what is not split", bad)
}

var endings = []struct {
	end  string
	form Form
}{{".jsonl", Lines}, {".csv", Table}, {".json", List}, {".tar", Shards}, {".parquet", Parquet}}

// FormOf is the form of a file by its name's ending.
func FormOf(name string) (Form, bool) {
	for _, e := range endings {
		if strings.HasSuffix(strings.ToLower(name), e.end) {
			return e.form, true
		}
	}
	return "", false
}

func formEnds() (ends []string) {
	for _, e := range endings {
		ends = append(ends, e.end)
	}
	return ends
}

// Layout says in a line how a split may be written.
func Layout(split string) string {
	return fmt.Sprintf("%[1]s/metadata.jsonl, %[1]s/metadata.csv, %[1]s.json, %[1]s.csv, %[1]s-*.tar or %[1]s-*.parquet", split)
}
