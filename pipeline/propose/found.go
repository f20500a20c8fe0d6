// Package propose chooses what a first run.toml says, from what was found of the data, the network and the machine, and writes it
// with comments that say so.
package propose

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"espalier/model"
	"espalier/model/names"
	"espalier/pipeline/data"
	"espalier/pipeline/fault"
	"espalier/torch/checkpoint"
)

// Found is all that a proposal stands on.
type Found struct {
	Root    string
	Output  string // the run's folder; see [FolderFor]
	Look    *data.Look
	Set     *data.Dataset // as its splits will be
	Model   *Model        // nil: none was given, and one is trained
	Tokens  Tokens
	Machine Machine
}

// Tokens is how long the texts of the data are to the network that reads them.
type Tokens struct {
	Question Span // with what frames a question
	Answer   Span // of training answers, without the end
	Measured int  // the most that an answer of validation, test or ood needs, without the end
	Open     int  // training questions without an answer
}

// Span is the fewest and the most of something.
type Span struct{ Least, Most int }

// Add widens the span by one number; a span of zeros has none yet.
func (s *Span) Add(n int) {
	if s.Least == 0 || n < s.Least {
		s.Least = n
	}
	s.Most = max(s.Most, n)
}

// of says so many of what.
func (s Span) of(what string) string {
	if s.Least == s.Most {
		return plural(s.Most, what)
	}
	return fmt.Sprintf("%d to %d %ss", s.Least, s.Most, what)
}

// Machine is where the run is to work.
type Machine struct {
	Threads int
	Memory  int64 // bytes that the process can have; 0 where the system does not tell
	GPUs    int
}

// Model is a checkpoint as its folder tells it; no weights are read.
type Model struct {
	Folder     string
	Config     *model.Config
	Parameters int
	Bytes      int64
	DTypes     []string
	Plain      bool // plain transformers can hold its sizes: a student for transformers makes sense
}

// FolderFor is a folder for the run that no other run is in, of a name, or named by the data.
func FolderFor(name, root string) string {
	if name == "" {
		name = data.FolderName(root)
	}
	folder := "runs/" + name
	for n := 2; ; n++ {
		if _, err := os.Lstat(folder); err != nil {
			return folder
		}
		folder = fmt.Sprintf("runs/%s-%d", name, n)
	}
}

// OpenModel looks at a checkpoint. A file under other people's names is refused with the command that makes a folder of it.
func OpenModel(path string) (*Model, error) {
	if err := names.Adapter(path); err != nil {
		return nil, &fault.InputError{Err: err}
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fault.Inputf("-model %s: there is no such folder or file; name a checkpoint's folder, or leave -model out to train a teacher on the data", path)
	}
	if _, err := os.Stat(filepath.Join(path, "config.json")); err != nil {
		return nil, &fault.InputError{Err: loose(path)}
	}
	m, files, err := model.Open(path)
	if err != nil {
		return nil, &fault.InputError{Err: err}
	}
	defer files.Close()
	found := &Model{Folder: path, Config: m.Config(), Parameters: m.Store().Count()}
	if _, err := m.HubConfig(); err == nil {
		found.Plain = true
	}
	for _, p := range m.Store().Params() {
		info, _ := files.Info(p.Name)
		found.Bytes += info.Bytes
		if d := info.DType.String(); !slices.Contains(found.DTypes, d) {
			found.DTypes = append(found.DTypes, d)
		}
	}
	slices.Sort(found.DTypes)
	return found, nil
}

// loose says what to do about weights without a config.json: a run needs a folder, and here is how it is made.
func loose(path string) error {
	files, err := checkpoint.Open(path, "")
	if err != nil {
		return fmt.Errorf("-model %s has no config.json, and is no file of weights that this program reads (%w); a checkpoint is a folder with config.json and %s",
			path, err, checkpoint.SingleFile)
	}
	defer files.Close()
	tensors := make([]string, 0, len(files.Names()))
	for _, name := range files.Names() {
		tensors = append(tensors, strings.TrimPrefix(name, "module."))
	}
	const then = "then: go run ./cmd/pipeline init -model my-teacher -data DATA"
	if theirs := names.Guess(tensors); theirs != "" {
		return fmt.Errorf("-model %s holds weights under %s names, and a run needs a folder with config.json. Make one, with the config.json of the same model "+
			"in transformers' form and, where the file leaves the language model out, its folder behind the file: "+
			"go run ./cmd/model convert -names %s -config config.json -out my-teacher %[1]s LANGUAGE-MODEL; %[4]s", path, ownerOf(theirs), theirs, then)
	}
	return fmt.Errorf("-model %s holds tensors (%d), and there is no config.json, which says what network they are. Make a folder of both: "+
		"go run ./cmd/model convert -config config.json -out my-teacher %[1]s; %[3]s", path, len(tensors), then)
}

// ownerOf is whose names a built-in map is of.
func ownerOf(names string) string {
	if names == "minigpt4" {
		return "MiniGPT-4's"
	}
	return "LAVIS's"
}
