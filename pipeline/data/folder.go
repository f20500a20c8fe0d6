package data

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

const metadataName = "metadata.jsonl"

// openFolder reads a data set in Hugging Face's image-folder layout.
func openFolder(cfg Config) (*Dataset, error) {
	bad := faults{skip: cfg.Skip}
	if info, err := os.Stat(cfg.Root); err != nil || !info.IsDir() {
		bad.add(cfg.Root, "there is no such folder; give the folder that holds train/, validation/ and test/")
		return nil, bad.err()
	}
	train := readSplit(cfg.Root, "train", false, &bad)
	validation := readSplit(cfg.Root, "validation", true, &bad)
	test := readSplit(cfg.Root, "test", true, &bad)
	ood := readSplit(cfg.Root, "ood", true, &bad)
	for _, s := range []struct {
		name string
		it   *folderSplit
	}{{"train", train}, {"test", test}} {
		if s.it == nil {
			bad.add(filepath.Join(cfg.Root, s.name, metadataName), "the split %s is missing; every data set needs train and test", s.name)
		}
	}
	if validation == nil {
		checkValidationName(cfg.Root, &bad)
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	if !pictured([]*folderSplit{train, validation, test, ood}, &bad) {
		cfg.Size = 0
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	heldOut := validation == nil
	if heldOut {
		if validation = train.holdOut(); validation == nil {
			bad.add(train.path, "there is no validation split, and too few pictures with answers to set some aside; add validation/%s", metadataName)
			return nil, bad.err()
		}
	}
	d := &Dataset{
		Name:       filepath.Base(filepath.Clean(cfg.Root)),
		Size:       cfg.Size,
		Train:      train.take(cfg.Train, cfg),
		Validation: validation.take(cfg.Validation, cfg),
		Test:       test.take(cfg.Test, cfg),
		HeldOut:    heldOut,
	}
	if ood != nil {
		d.OOD = ood.take(cfg.OOD, cfg)
	}
	d.Skipped = bad.skipped
	if err := d.prepare(cfg.MemoryBudget, cfg.Skip); err != nil {
		return nil, err
	}
	d.listTasks()
	var err error
	if d.Tokenizer, err = buildVocabulary(d); err != nil {
		return nil, fmt.Errorf("data: %s: %w", cfg.Root, err)
	}
	return d, nil
}

// pictured tells whether the rows are about pictures: all of them, or none. A row without a picture among others is at fault.
func pictured(splits []*folderSplit, bad *faults) (any bool) {
	without := func(f *pictureFile) bool { return f.path == "" }
	for _, s := range splits {
		any = any || s != nil && slices.ContainsFunc(s.files, func(f *pictureFile) bool { return !without(f) })
	}
	for _, s := range splits {
		if !any || s == nil {
			continue
		}
		for _, f := range s.files {
			if without(f) {
				bad.row(fmt.Sprintf("%s:%d", s.path, f.lines[0]), `no "file_name", which other rows have; add it, or remove it from all`)
			}
		}
		s.files = slices.DeleteFunc(s.files, without)
	}
	return any
}

// checkValidationName finds a validation split under another usual name: to set training pictures aside although
// the user made a split would be a surprise.
func checkValidationName(root string, bad *faults) {
	for _, other := range []string{"val", "valid", "dev", "eval"} {
		if _, err := os.Stat(filepath.Join(root, other, metadataName)); err == nil {
			bad.add(filepath.Join(root, other), "this split has a name that is not read; rename the folder to validation")
			return
		}
	}
}
