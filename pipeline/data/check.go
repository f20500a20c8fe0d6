package data

import (
	"fmt"

	"espalier/pipeline/rows"
)

// Checked is what a data set's files hold.
type Checked struct {
	Faults []string // all of them, a line each: where, what, and what to do
	Notes  []string // what is no fault, and good to know
	Splits []Checks
}

// Checks is one split as it can be read.
type Checks struct {
	Name                string // empty: the files are no split
	Form                rows.Form
	Files               int
	Pictures, Questions int    // no pictures where the rows are about none
	Fingerprint         string // of the rows and the bytes of the pictures: the same in every form
}

// Check reads all files of a folder, or one file, decodes all pictures, and lists everything that is wrong. Rows at fault are left out
// of the counts. What only a run can tell, such as questions that are too long for a network, is not looked for.
func Check(root string) Checked {
	bad := &faults{skip: true, all: true}
	from := findSources(root, bad)
	var out Checked
	if all := from.whole(); all != nil {
		out.Notes = append(out.Notes, fmt.Sprintf(`%s: there are no other splits; data.split = "80/10/10" makes them of this`, all))
		if from["train"] != nil {
			checkValidationName(root, bad)
		}
	} else if from != nil {
		from.checkSplits(root, bad)
	}
	cfg := Config{Root: root, Size: checkedSize, Skip: true, Sum: sumOfFile}
	read := readSplits(from, cfg, bad)
	if !pictured(read, bad) {
		cfg.Size = 0
	}
	var splits []*Split
	read.each(func(s *filesSplit) {
		split := s.take(0, cfg)
		split.prepare(false, bad)
		checks := Checks{Name: s.name, Form: s.from.Form, Files: len(s.from.Files), Questions: split.QuestionCount(), Fingerprint: hashSplit(split, 0)[:fingerprintDigits]}
		if cfg.Size > 0 {
			checks.Pictures = split.Len()
		}
		if from[undivided] != nil {
			checks.Name = undivided
		}
		out.Splits, splits = append(out.Splits, checks), append(splits, split)
	})
	for _, o := range overlaps(splits) {
		out.Notes = append(out.Notes, o.String())
	}
	out.Faults = bad.lines
	return out
}

// fingerprintDigits is how much of a SHA-256 is shown: enough to tell data sets apart.
const fingerprintDigits = 12

// checkedSize is the side that pictures are scaled to when they are only checked, pixels.
const checkedSize = 8
