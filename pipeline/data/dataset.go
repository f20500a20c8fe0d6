// Package data holds the pictures and questions of a run: the built-in advertisements, or a folder of the
// user's own. It gives Go slices only, never tensors, so that its goroutines stay away from libtorch.
package data

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"espalier/model/tokenizer"
	"espalier/torch/disk"
)

// Question is one question about a picture.
type Question struct {
	Text     string
	Answers  []string // the accepted ones; the first is the one to learn. Empty: none was given
	Task     string   // accuracy is also given for each task; may be empty
	Category string   // likewise
}

// Dataset is a training, a validation and a test split, and where there is one a split out of distribution.
type Dataset struct {
	Name                    string
	Size                    int                  // side of the pictures, pixels; 0: there are none
	Train, Validation, Test *Split               // never nil
	OOD                     *Split               // nil: none
	Tasks, Categories       []string             // those of the questions, without the empty one
	Tokenizer               *tokenizer.WordLevel // of the words of the data
	HeldOut                 bool                 // there was no validation split: Validation was taken from the training pictures
	Skipped                 []Skipped            // rows that were left out, where Config.Skip allows it
	hash                    string
}

// Config says which data set to open.
type Config struct {
	Source string // a built-in one: "ads" or "sequences"
	Root   string // or a folder with files of one of the forms of package rows, or one such file
	Size   int    // side of the pictures, pixels; other sizes are scaled. 0: 48 for ads, an error for a folder

	// Pictures to take of each split, from its start, or rows where there are none. 0: all of a folder's; 12000, 400, 1000, 1000 of
	// the built-in sources.
	Train, Validation, Test, OOD int

	Ads       *Ads      // how hard the source of that name is; nil: as run.toml's
	Sequences Sequences // what the source of that name draws

	Shares    [3]int // percent of the pictures of one file that go to train, validation and test; zeros: files are splits already
	SplitSeed int    // draws them

	// MemoryBudget is how many bytes the decoded pictures may take. Beyond it they are decoded anew at every
	// use. 0: 2 GiB.
	MemoryBudget int64

	// Skip leaves rows out that cannot be read, and lists them, instead of refusing the data set. To find damage in the middle of
	// pictures it decodes all of them once, also beyond the budget.
	Skip bool

	// Sum is the SHA-256 of a file's content, in hexadecimal; nil reads the file. An index may know it without.
	Sum func(path string) (string, error)
}

const (
	defaultBudget = 2 << 30
	maxSize       = 4096
)

// Open makes the data set ready. All that is wrong with it is found here and not after hours of training; the
// error has a line for each fault, with its file, its line and what to do about it.
func Open(cfg Config) (*Dataset, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	if cfg.MemoryBudget == 0 {
		cfg.MemoryBudget = defaultBudget
	}
	if cfg.Sum == nil {
		cfg.Sum = sumOfFile
	}
	if cfg.Root != "" {
		return openFiles(cfg)
	}
	if cfg.Source == "sequences" {
		return openSequences(cfg)
	}
	return openAds(cfg)
}

func sumOfFile(path string) (string, error) {
	sum, _, err := disk.Sum(path)
	return sum, err
}

func (cfg Config) check() error {
	switch {
	case cfg.Source != "" && cfg.Root != "":
		return fmt.Errorf("both source %q and root %q are given; give one", cfg.Source, cfg.Root)
	case cfg.Source == "" && cfg.Root == "":
		return fmt.Errorf(`neither source nor root is given; give source = "ads" or "sequences", or root = a data set's folder`)
	case cfg.Source != "" && cfg.Source != "ads" && cfg.Source != "sequences":
		return fmt.Errorf(`there is no built-in source %q; there are "ads" and "sequences"`, cfg.Source)
	case cfg.Size < 0 || cfg.Size > maxSize || cfg.Size == 0 && cfg.Root != "":
		return fmt.Errorf("size %d is no size of a picture; give its side in pixels, at most %d", cfg.Size, maxSize)
	case cfg.MemoryBudget < 0:
		return fmt.Errorf("a memory budget of %d bytes is negative; give 0 for the default", cfg.MemoryBudget)
	}
	for _, n := range []int{cfg.Train, cfg.Validation, cfg.Test, cfg.OOD} {
		if n < 0 {
			return fmt.Errorf("%d pictures cannot be taken of a split; give 0 for all", n)
		}
	}
	return nil
}

// Splits lists the splits that there are: train, validation, test, ood.
func (d *Dataset) Splits() []*Split {
	all := []*Split{d.Train, d.Validation, d.Test}
	if d.OOD != nil {
		all = append(all, d.OOD)
	}
	return all
}

// Hash is a SHA-256, in hexadecimal, of everything that determines the pictures at their size, the questions and
// their order. Caches are keyed by it.
func (d *Dataset) Hash() string { return d.hash }

// prepare reads the pictures into memory, or checks them where they would not fit, and takes the content hash
// on the way.
func (d *Dataset) prepare(budget int64, bad *faults) error {
	total := int64(0)
	for _, s := range d.Splits() {
		total += int64(s.Len()) * int64(s.album.bytes())
	}
	all := sha256.New()
	fmt.Fprintf(all, "espalier data 2: size %d;", d.Size)
	for _, s := range d.Splits() {
		s.prepare(total <= budget, bad)
		s.hash = hashSplit(s, d.Size)
		io.WriteString(all, s.hash)
	}
	d.hash = hex.EncodeToString(all.Sum(nil))
	d.Skipped = bad.skipped
	for _, s := range d.Splits() {
		if first := bad.first[s.Name]; s.Len() == 0 {
			bad.Add(s.Name, "all rows of this split are at fault (the first: %s: %s); mend them, or remove the split", first.Place, first.Reason)
		}
	}
	return bad.err()
}

// listTasks fills in Tasks and Categories, in order of first appearance.
func (d *Dataset) listTasks() {
	seen := map[[2]string]bool{{"task", ""}: true, {"category", ""}: true}
	list := func(to *[]string, kind, name string) {
		if key := [2]string{kind, name}; !seen[key] {
			seen[key] = true
			*to = append(*to, name)
		}
	}
	for _, s := range d.Splits() {
		for _, questions := range s.questions {
			for _, q := range questions {
				list(&d.Tasks, "task", q.Task)
				list(&d.Categories, "category", q.Category)
			}
		}
	}
}
