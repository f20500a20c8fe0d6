package data

import (
	"path/filepath"
	"slices"
	"strings"

	"espalier/model/image"
	"espalier/pipeline/rows"
)

// Look is what the files of a data set are, before it is known how a network will read them.
type Look struct {
	Splits []LookSplit // that there are; one of no name where the files are no split
	Whole  bool        // the files are no splits: Config.Shares must divide them
	Sides  [3]int      // the shortest, the middle and the longest of the pictures' longer sides, pixels; zeros where there are no pictures
	Square bool        // all pictures that were looked at are as high as they are wide
}

// LookSplit is where a split is written.
type LookSplit struct {
	Name   string
	Form   rows.Form
	Files  int
	Source string // its file, or the first of several
}

// lookedAt is of how many pictures the size is read.
const lookedAt = 200

// LookAt finds the files of a data set and reads the sizes of some of its pictures. What only reading all of it can tell is left to
// Open.
func LookAt(root string) (*Look, error) {
	bad := &faults{}
	found := findSources(root, bad)
	l := &Look{Whole: found.whole() != nil}
	if len(bad.lines) == 0 && len(found) == 0 {
		bad.Add(root, "there are no questions; a data set is %s and the same of test, or one file of questions (docs/data.md)", rows.Layout("train"))
	}
	switch {
	case found != nil && !l.Whole:
		found.checkSplits(root, bad)
	case found["train"] != nil:
		checkValidationName(root, bad)
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	var largest *rows.Source
	for _, name := range append(slices.Clone(splitNames), undivided) {
		s := found[name]
		if s == nil {
			continue
		}
		if largest == nil {
			largest = s // train, or all that there is
		}
		l.Splits = append(l.Splits, LookSplit{name, s.Form, len(s.Files), s.String()})
	}
	l.measure(rows.Pictures(largest.Read(false, &faults{skip: true})))
	return l, nil
}

// measure reads the sizes of some pictures, evenly spread. Pictures that cannot be read are left to Open, which names them all.
func (l *Look) measure(pictures []rows.Picture) {
	var sides []int
	l.Square = true
	each := max(1, len(pictures)/lookedAt)
	for i := 0; i < len(pictures); i += each {
		file, err := pictures[i].Read()
		if err != nil {
			continue
		}
		width, height, err := image.Size(file)
		if err != nil {
			continue
		}
		l.Square = l.Square && width == height
		sides = append(sides, max(width, height))
	}
	if len(sides) == 0 {
		return
	}
	slices.Sort(sides)
	l.Sides = [3]int{sides[0], sides[len(sides)/2], sides[len(sides)-1]}
}

// FolderName is a name for what is made of a data set: that of its folder, or of its file without the ending. Folders that are
// called data say nothing, so the one around them counts.
func FolderName(root string) string {
	root = filepath.Clean(root)
	name := filepath.Base(root)
	if _, file := rows.FormOf(name); file {
		name = strings.TrimSuffix(name, filepath.Ext(name))
	}
	switch name {
	case "data", "dataset", "train", "all", ".", "..", "/":
		if up := filepath.Base(filepath.Dir(root)); up != "." && up != ".." && up != "/" && up != name {
			return up
		}
		return "mine"
	}
	return name
}
