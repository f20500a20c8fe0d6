package data

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"espalier/pipeline/rows"
)

// filesSplits are the splits of a data set of files. Those that are not there are nil.
type filesSplits struct{ train, validation, test, ood *filesSplit }

// each calls f with the splits that there are.
func (s filesSplits) each(f func(split *filesSplit)) {
	for _, split := range []*filesSplit{s.train, s.validation, s.test, s.ood} {
		if split != nil {
			f(split)
		}
	}
}

// openFiles reads a data set of the user's own, in any of the forms of package rows.
func openFiles(cfg Config) (*Dataset, error) {
	bad := &faults{skip: cfg.Skip}
	found := findSources(cfg.Root, bad)
	if err := bad.err(); err != nil {
		return nil, err
	}
	if cfg.Shares != [3]int{} {
		found = found.divided(cfg.Root, bad)
	} else {
		found.checkSplits(cfg.Root, bad)
	}
	s := readSplits(found, cfg, bad)
	if !pictured(s, bad) {
		cfg.Size = 0
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	heldOut := s.validation == nil
	if heldOut {
		if s.validation = s.train.holdOut(); s.validation == nil {
			bad.Add(s.train.from.String(), "there is no validation split, and too few pictures with answers to set some aside; add one: %s", rows.Layout("validation"))
			return nil, bad.err()
		}
	}
	d := &Dataset{
		Name:       filepath.Base(filepath.Clean(cfg.Root)),
		Size:       cfg.Size,
		Train:      s.train.take(cfg.Train, cfg),
		Validation: s.validation.take(cfg.Validation, cfg),
		Test:       s.test.take(cfg.Test, cfg),
		HeldOut:    heldOut,
	}
	if s.ood != nil {
		d.OOD = s.ood.take(cfg.OOD, cfg)
	}
	if err := d.prepare(cfg.MemoryBudget, bad); err != nil {
		return nil, err
	}
	d.listTasks()
	var err error
	if d.Tokenizer, err = buildVocabulary(d); err != nil {
		return nil, fmt.Errorf("data: %s: %w", cfg.Root, err)
	}
	return d, nil
}

// undivided stands for the name of a split where one source is all splits.
const undivided = ""

// sources are the files of each split that there is, or those that are no split.
type sources map[string]*rows.Source

func findSources(root string, bad *faults) sources {
	info, err := os.Stat(root)
	if err != nil {
		bad.Add(root, "there is no such folder or file; give the folder that holds the splits, or one file with data.split")
		return nil
	}
	found := sources{}
	for _, name := range splitNames {
		if !info.IsDir() {
			break
		}
		if s := rows.Find(root, name, bad); s != nil {
			found[name] = s
		}
	}
	if len(found) > 0 {
		return found
	}
	if s := rows.Single(root, bad); s != nil {
		found[undivided] = s
	} else if !info.IsDir() {
		return nil // splits that are missing are not what is wrong
	}
	return found
}

var splitNames = []string{"train", "validation", "test", "ood"}

// whole is the source of all splits, which data.split divides; nil where there are splits.
func (s sources) whole() *rows.Source {
	if train := s["train"]; train != nil && len(s) == 1 {
		return train
	}
	return s[undivided]
}

// divided are the sources where data.split divides the only one.
func (s sources) divided(root string, bad *faults) sources {
	var names []string
	for _, name := range append(splitNames, undivided) {
		if s[name] != nil {
			names = append(names, name)
		}
	}
	if len(names) > 1 {
		bad.Add(root, "data.split divides what is not split, but there are %s; leave it out", strings.Join(names, " and "))
	}
	if len(names) != 1 {
		s.checkSplits(root, bad)
		return nil
	}
	if s["train"] != nil {
		checkValidationName(root, bad)
	}
	return sources{undivided: s[names[0]]}
}

// checkSplits finds splits that are missing.
func (s sources) checkSplits(root string, bad *faults) {
	if all := s[undivided]; all != nil {
		bad.Add(all.String(), `this is all that there is, and no split; set data.split = "80/10/10", or divide it into train, validation and test`)
		return
	}
	for _, name := range []string{"train", "test"} {
		if s[name] == nil {
			text := fmt.Sprintf("the split %s is missing; every data set needs train and test: %s", name, rows.Layout(name))
			if len(s) == 1 {
				text += `; or set data.split = "80/10/10", which divides what there is`
			}
			bad.Add(filepath.Join(root, name), "%s", text)
		}
	}
	if s["validation"] == nil {
		checkValidationName(root, bad)
	}
}

// checkValidationName finds a validation split under another usual name: to set training pictures aside although
// the user made a split would be a surprise.
func checkValidationName(root string, bad *faults) {
	for _, other := range []string{"val", "valid", "dev", "eval"} {
		if s := rows.Find(root, other, bad); s != nil {
			bad.Add(s.String(), "this split has a name that is not read; rename %s to validation", other)
			return
		}
	}
}

// readSplits reads the sources, and divides the one that is all splits.
func readSplits(from sources, cfg Config, bad *faults) (s filesSplits) {
	if all := readSplit("train", from[undivided], false, cfg, bad); all != nil {
		s.train = all
		if cfg.Shares == [3]int{} {
			return s
		}
		if s.validation, s.test = all.divide(cfg.Shares, uint64(cfg.SplitSeed)); s.test == nil {
			bad.Add(all.from.String(), "%d pictures are too few to be divided as data.split says, or too few have answers to all their questions; add some, or change the shares", len(all.shown))
		}
		return s
	}
	s.train = readSplit("train", from["train"], false, cfg, bad)
	s.validation = readSplit("validation", from["validation"], true, cfg, bad)
	s.test = readSplit("test", from["test"], true, cfg, bad)
	s.ood = readSplit("ood", from["ood"], true, cfg, bad)
	return s
}

// pictured tells whether the rows are about pictures: all of them, or none. A row without a picture among others is at fault.
func pictured(splits filesSplits, bad *faults) (any bool) {
	without := func(s *shown) bool { return s.picture == nil }
	splits.each(func(s *filesSplit) {
		any = any || slices.ContainsFunc(s.shown, func(shown *shown) bool { return !without(shown) })
	})
	if !any {
		return false
	}
	splits.each(func(s *filesSplit) {
		bad.split = s.name
		for _, shown := range s.shown {
			if without(shown) {
				bad.Row(shown.places[0], `no "file_name", which other rows have; add it, or remove it from all`)
			}
		}
		s.shown = slices.DeleteFunc(s.shown, without)
	})
	return true
}
