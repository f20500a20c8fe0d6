package data

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"espalier/model/image"
	"espalier/torch/disk"
	"espalier/torch/textfile"
)

// folderSplit is one split's metadata, grouped by picture, in order of first appearance.
type folderSplit struct {
	name  string
	path  string // of the metadata
	files []*pictureFile
}

// pictureFile is one picture with all its questions, or one question about none, without a path.
type pictureFile struct {
	name      string // as first written
	path      string
	questions []Question
	lines     []int // of each question
	fault     string
}

// readSplit gives nil where the split is not there.
func readSplit(root, name string, needAnswers bool, bad *faults) *folderSplit {
	s := &folderSplit{name: name, path: filepath.Join(root, name, metadataName)}
	data, err := textfile.ReadLong(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		if csv := filepath.Join(root, name, "metadata.csv"); exists(csv) {
			bad.add(csv, "tables are not read; write %s, a JSON object a line", metadataName)
		}
		return nil
	}
	if err != nil {
		bad.add(s.path, "cannot be read (%v)", err)
		return s
	}
	before := bad.count()
	rows := parseMetadata(s.path, data, needAnswers, bad)
	if len(rows) == 0 && bad.count() == before {
		bad.add(s.path, "holds no rows; fill it, or remove the folder")
	}
	s.group(rows, bad)
	return s
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// group gathers the rows of each picture and checks that its file is there.
func (s *folderSplit) group(rows []row, bad *faults) {
	files := map[string]*pictureFile{}
	for _, r := range rows {
		if r.file == "" {
			s.files = append(s.files, &pictureFile{name: r.question.Text, questions: []Question{r.question}, lines: []int{r.line}})
			continue
		}
		path := filepath.Join(filepath.Dir(s.path), r.file)
		f := files[path]
		if f == nil {
			f = &pictureFile{name: r.file, path: path, fault: pictureFault(r.file, path)}
			files[path] = f
			if f.fault == "" {
				s.files = append(s.files, f)
			} else if !bad.skip { // once for a picture; of rows that are left out, each is listed
				bad.row(fmt.Sprintf("%s:%d", s.path, r.line), "%s", f.fault)
			}
		}
		if f.fault != "" && bad.skip {
			bad.row(fmt.Sprintf("%s:%d", s.path, r.line), "%s", f.fault)
		}
		f.questions = append(f.questions, r.question)
		f.lines = append(f.lines, r.line)
	}
}

// pictureFault is what is wrong with a picture's name, or "".
func pictureFault(name, path string) string {
	if filepath.IsAbs(name) {
		return fmt.Sprintf("file_name %q is absolute; give it relative to the folder of this file", name)
	}
	info, err := disk.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("there is no picture %s; file_name is relative to the folder of this file", path)
	case err != nil:
		return fmt.Sprintf("the picture cannot be read: %v", err)
	case info.IsDir():
		return path + " is a folder; file_name names a picture"
	}
	return ""
}

// holdOut moves one picture in twenty, at least one, to a validation split. It takes those whose names have the
// smallest hashes: the same ones whatever the order of the lines, and hardly other ones when pictures are added.
// It gives nil when there is nothing to take.
func (s *folderSplit) holdOut() *folderSplit {
	type candidate struct {
		file *pictureFile
		hash string
	}
	var all []candidate
	for _, f := range s.files {
		if slices.ContainsFunc(f.questions, func(q Question) bool { return len(q.Answers) == 0 }) {
			continue
		}
		sum := sha256.Sum256([]byte(filepath.ToSlash(filepath.Clean(f.name))))
		all = append(all, candidate{f, string(sum[:])})
	}
	if len(all) == 0 || len(s.files) < 2 {
		return nil
	}
	slices.SortFunc(all, func(a, b candidate) int { return cmp.Compare(a.hash, b.hash) })
	taken := map[*pictureFile]bool{}
	for _, c := range all[:max(1, len(all)/20)] {
		taken[c.file] = true
	}
	validation := &folderSplit{name: "validation", path: s.path}
	rest := s.files[:0:0]
	for _, f := range s.files {
		if taken[f] {
			validation.files = append(validation.files, f)
		} else {
			rest = append(rest, f)
		}
	}
	s.files = rest
	return validation
}

// take makes the split of the first `limit` pictures, or all with 0.
func (s *folderSplit) take(limit int, cfg Config) *Split {
	files := s.files
	if limit > 0 && limit < len(files) {
		files = files[:limit]
	}
	questions := make([][]Question, len(files))
	for i, f := range files {
		questions[i] = f.questions
	}
	var source pictures = &folderPictures{s.path, cfg.Size, files, cfg.Sum, cfg.Skip}
	if cfg.Size == 0 {
		source = noPictures{func(i, _ int) string { return fmt.Sprintf("%s:%d", s.path, files[i].lines[0]) }}
	}
	split := newSplit(s.name, questions, cfg.Size, source)
	split.rows = s.path
	return split
}

// folderPictures reads pictures from their files.
type folderPictures struct {
	metadata string
	size     int
	files    []*pictureFile
	sum      func(path string) (string, error) // of a file's content
	whole    bool                              // verify decodes all of it
}

func (p *folderPictures) load(i int, dst []uint8) (string, error) {
	path := p.files[i].path
	data, err := image.ReadFile(path)
	if err != nil {
		return "", err
	}
	picture, err := image.Decode(data)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	copy(dst, picture.Resize(p.size, p.size).Pix)
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// verify gives the same fingerprint as load.
func (p *folderPictures) verify(i int) (string, error) {
	if p.whole {
		return p.load(i, make([]uint8, 3*p.size*p.size))
	}
	path := p.files[i].path
	if err := image.Check(path); err != nil {
		return "", err
	}
	sum, err := p.sum(path)
	if err != nil {
		return "", fmt.Errorf("the picture cannot be read: %w", err)
	}
	return sum, nil
}

func (p *folderPictures) place(i, q int) string {
	return fmt.Sprintf("%s:%d", p.metadata, p.files[i].lines[q])
}

// sound: a file may be broken, and that is found out before hours of training.
func (p *folderPictures) sound() bool { return false }

func (p *folderPictures) without(broken []bool) pictures {
	kept := *p
	kept.files = slices.Clone(p.files)
	at := -1
	kept.files = slices.DeleteFunc(kept.files, func(*pictureFile) bool { at++; return broken[at] })
	return &kept
}
