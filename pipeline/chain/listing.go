package chain

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"espalier/torch/disk"
)

// Listed is a kept result, for a reader.
type Listed struct {
	ID      string
	Step    string
	At      string // its place in the run's chain; empty where no run was asked about
	Folder  string
	Bytes   int64
	Made    time.Time
	Used    time.Time // when a run last needed it
	Seconds float64   // that it took to compute
	Damaged bool      // its result.json cannot be read: what that says is not known
	Inputs  any
}

// StandsOn names what the result was computed from, as "Network, Train": contents and results of other steps.
func (l Listed) StandsOn() string {
	inputs, _ := plain(l.Inputs).(map[string]any)
	var names []string
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		if m, ok := inputs[name].(map[string]any); ok && (marked(m, printKey) || marked(m, resultKey)) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// List gives the results in a folder of results, or those of a run's chain, wherever they are kept, in the order of the
// chain. Of a run whose chain is not known it gives those in the run's own folder, with an error where its record is there and cannot be read.
func List(folder string) ([]Listed, error) {
	path := filepath.Join(folder, recordName)
	r, broken := parseRecord(path)
	if broken == nil {
		return r.list(folder), nil
	}
	s := &store{folder}
	if own := filepath.Join(folder, "kept"); isFolder(own) {
		s = &store{own}
	}
	all, err := s.each(s.list)
	if !errors.Is(broken, fs.ErrNotExist) {
		err = errors.Join(&damaged{path, fmt.Sprintf("cannot be read (%v): these are the results in %s; the run writes it again when it is started again", broken, s.root)}, err)
	}
	return all, err
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// resultName is the form of a result's folder: a step and the beginning of its fingerprint.
var resultName = regexp.MustCompile(`-[0-9a-f]{32}$`)

// each asks for every result of the store, and gives those with an answer, the last used first.
func (s *store) each(ask func(id string) (Listed, error)) ([]Listed, error) {
	entries, err := os.ReadDir(s.root)
	if err != nil {
		return nil, err
	}
	var out []Listed
	for _, e := range entries {
		if e.IsDir() && resultName.MatchString(e.Name()) {
			if l, err := ask(e.Name()); err == nil {
				out = append(out, l)
			}
		}
	}
	slices.SortFunc(out, func(a, b Listed) int { return cmp.Or(b.Used.Compare(a.Used), cmp.Compare(a.ID, b.ID)) })
	return out, nil
}

// list gives the results of the record of a run's folder.
func (r *record) list(folder string) (out []Listed) {
	for _, e := range r.Steps {
		l, err := e.in(folder).list(e.ID)
		if err != nil {
			l = Listed{ID: e.ID, Step: stepOf(e.ID), Inputs: e.Inputs} // it was removed
		}
		l.At = e.At
		out = append(out, l)
	}
	return out
}

func stepOf(id string) string {
	name, _, _ := strings.Cut(id, "-")
	return name
}

func (s *store) list(id string) (Listed, error) {
	l, err := s.weigh(id)
	if err != nil {
		return l, err
	}
	var m manifest
	text, err := disk.Read(filepath.Join(l.Folder, ManifestName))
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		l.Step, l.Damaged = stepOf(id), true
		return l, nil
	}
	l.Step, l.Made, l.Seconds, l.Inputs = m.Step, m.Made, m.Seconds, m.Inputs
	return l, nil
}

// weigh gives the size of a result and when it was last used, without reading what it says of itself: a store has many thousands.
func (s *store) weigh(id string) (l Listed, err error) {
	l = Listed{ID: id, Folder: s.folder(id)}
	info, err := os.Stat(s.lock(id))
	if err != nil {
		info, err = os.Stat(l.Folder)
	}
	if err != nil {
		return l, err
	}
	l.Used = info.ModTime()
	l.Bytes, err = sizeOf(l.Folder)
	return l, err
}

func sizeOf(folder string) (bytes int64, err error) {
	err = filepath.WalkDir(folder, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	return bytes, err
}

// Remove takes one result out of a folder of results or out of a run's, if nobody uses it; id may be shortened.
func Remove(folder, id string) (Listed, error) {
	all, err := List(folder)
	if len(all) == 0 && err != nil {
		return Listed{}, err
	}
	var found []Listed
	for _, l := range all {
		if l.Folder != "" && strings.HasPrefix(l.ID, id) {
			found = append(found, l)
		}
	}
	switch len(found) {
	case 0:
		return Listed{}, fmt.Errorf("%s has no kept result %q", folder, id)
	case 1:
		return found[0], (&store{filepath.Dir(found[0].Folder)}).remove(found[0].ID)
	}
	return Listed{}, fmt.Errorf("%s: %d kept results begin with %q; give more of the name", folder, len(found), id)
}

// trim removes the least recently used results, and what interrupted work has left, until the rest fits into a limit. What a
// run holds stays.
func (s *store) trim(limit int64) (faults []error) {
	all, err := s.each(s.weigh)
	if err != nil {
		return nil // there is nothing yet
	}
	all = append(all, s.unfinished()...)
	slices.SortStableFunc(all, func(a, b Listed) int { return b.Used.Compare(a.Used) })
	total := int64(0)
	for _, l := range all {
		total += l.Bytes
	}
	for _, l := range slices.Backward(all) {
		if total <= limit {
			break
		}
		err := s.remove(l.ID)
		var locked *disk.ErrLocked
		switch {
		case err == nil:
			total -= l.Bytes
		case !errors.As(err, &locked):
			faults = append(faults, err)
		}
	}
	return faults
}

// unfinished is what interrupted work has left.
func (s *store) unfinished() (out []Listed) {
	entries, err := os.ReadDir(filepath.Join(s.root, ".work"))
	if err != nil {
		return nil
	}
	for _, e := range entries {
		l := Listed{ID: e.Name(), Folder: s.work(e.Name())}
		if info, err := e.Info(); err == nil {
			l.Used = info.ModTime()
		}
		if l.Bytes, err = sizeOf(l.Folder); err == nil {
			out = append(out, l)
		}
	}
	return out
}
