package chain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"espalier/torch/disk"
)

// store is a folder of kept results:
//
//	ID/           result.json, the result's own files, and SUMS, as sha256sum writes it
//	.work/ID/     what is being computed: result/ and state/
//	.locks/ID     held alone while a result is computed, shared while a run uses it; its time is that of the last use
type store struct{ root string }

// The files of a result besides its own. ManifestName says what it was computed from.
const (
	ManifestName = "result.json"
	sumsName     = "SUMS"
)

// manifest is result.json: what a result is of, and all of it that is no file.
type manifest struct {
	Step        string          `json:"step"`
	Fingerprint Print           `json:"fingerprint"`
	Inputs      any             `json:"inputs"`
	Environment any             `json:"environment"`
	Value       json.RawMessage `json:"value"`
	Seconds     float64         `json:"seconds"`        // that it took to compute
	PeakRSS     int64           `json:"peak_rss_bytes"` // of the process until then
	Pieces      pieces          `json:"pieces,omitempty"`
	Made        time.Time       `json:"made"`
}

// damaged is a result whose files are not those that were kept.
type damaged struct{ path, what string }

func (d *damaged) Error() string { return d.path + " " + d.what }

func (s *store) folder(id string) string { return filepath.Join(s.root, id) }
func (s *store) work(id string) string   { return filepath.Join(s.root, ".work", id) }
func (s *store) lock(id string) string   { return filepath.Join(s.root, ".locks", id) }

// open reads a result and compares every file with its checksum. It gives fs.ErrNotExist where there is none.
func (s *store) open(id string) (*manifest, map[string]string, error) {
	folder := s.folder(id)
	if _, err := os.Stat(folder); err != nil {
		return nil, nil, err
	}
	sums, err := readSums(filepath.Join(folder, sumsName))
	if err != nil {
		return nil, nil, err
	}
	there, err := filesIn(folder)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range there {
		if _, ok := sums[name]; !ok && name != sumsName {
			return nil, nil, &damaged{filepath.Join(folder, name), "is not one of the files that were kept"}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		path := filepath.Join(folder, name)
		if sum, _, err := disk.Sum(path); err != nil {
			return nil, nil, &damaged{path, fmt.Sprintf("cannot be read (%v)", err)}
		} else if sum != sums[name] {
			return nil, nil, &damaged{path, "is not what was written: its checksum is another"}
		}
	}
	text, err := disk.Read(filepath.Join(folder, ManifestName))
	if err != nil {
		return nil, nil, &damaged{filepath.Join(folder, ManifestName), fmt.Sprintf("cannot be read (%v)", err)}
	}
	m := &manifest{}
	if err := json.Unmarshal(text, m); err != nil {
		return nil, nil, &damaged{filepath.Join(folder, ManifestName), fmt.Sprintf("cannot be read (%v)", err)}
	}
	delete(sums, ManifestName)
	return m, sums, nil
}

// seal finishes the files of a result: the manifest and the checksums are written beside them. It gives the checksums.
func seal(folder string, m *manifest) (map[string]string, error) {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("chain: result of %s: %w", m.Step, err)
	}
	if err := disk.Write(filepath.Join(folder, ManifestName), append(text, '\n')); err != nil {
		return nil, err
	}
	sums, err := sumsOf(folder)
	if err != nil {
		return nil, err
	}
	var lines strings.Builder
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		fmt.Fprintf(&lines, "%s  %s\n", sums[name], name)
	}
	if err := disk.Write(filepath.Join(folder, sumsName), []byte(lines.String())); err != nil {
		return nil, err
	}
	delete(sums, ManifestName)
	return sums, nil
}

// sumsOf are the checksums of all files in a folder, by their names in it.
func sumsOf(folder string) (map[string]string, error) {
	names, err := filesIn(folder)
	if err != nil {
		return nil, err
	}
	sums := map[string]string{}
	for _, name := range names {
		if name == sumsName {
			continue
		}
		if sums[name], _, err = disk.Sum(filepath.Join(folder, name)); err != nil {
			return nil, err
		}
	}
	return sums, nil
}

// filesIn lists the files in a folder and the folders in it, with slashes.
func filesIn(folder string) (names []string, err error) {
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(folder, path)
		names = append(names, filepath.ToSlash(name))
		return err
	})
	return names, err
}

func readSums(path string) (map[string]string, error) {
	text, err := disk.Read(path)
	if err != nil {
		return nil, &damaged{path, fmt.Sprintf("cannot be read (%v)", err)}
	}
	sums := map[string]string{}
	for line := range strings.Lines(string(text)) {
		sum, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		if !ok || len(sum) != 64 || name == "" || !filepath.IsLocal(name) || !strings.HasSuffix(line, "\n") {
			return nil, &damaged{path, "is not a list of checksums"}
		}
		sums[name] = sum
	}
	if _, ok := sums[ManifestName]; !ok {
		return nil, &damaged{path, "is not a list of checksums of a result"}
	}
	return sums, nil
}

// content is the print of a result: its value, and the names and contents of its files.
func content(value json.RawMessage, sums map[string]string) Print {
	return Of(map[string]any{"value": compact(value), "files": sums})
}

// compact is JSON without the spaces that the manifest's indenting puts in.
func compact(value json.RawMessage) string {
	var out bytes.Buffer
	if err := json.Compact(&out, value); err != nil {
		return string(value)
	}
	return out.String()
}

// remove takes a result away, if nobody uses it.
func (s *store) remove(id string) error {
	held, err := disk.Lock(s.lock(id), disk.Exclusive, false)
	if err != nil {
		return fmt.Errorf("%s is in use: %w", id, err)
	}
	defer held.Unlock()
	return errors.Join(disk.RemoveAll(s.folder(id)), disk.RemoveAll(s.work(id)))
}
