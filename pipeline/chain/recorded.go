package chain

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"espalier/torch/disk"
)

// Recorded is a step of a run's chain, as the run's folder tells it.
type Recorded struct {
	At     string // its place, as "hidden/distil 2"
	Step   string
	Inputs any // what it was computed from, in readable form

	folder string // of its result
}

// RecordOf lists the steps of the chain in a run's folder, in their order. A folder without a chain has none.
func RecordOf(run string) (out []Recorded) {
	for _, e := range readRecord(filepath.Join(run, recordName), nil).Steps {
		out = append(out, Recorded{At: e.At, Step: stepOf(e.ID), Inputs: plain(e.Inputs), folder: e.in(run).folder(e.ID)})
	}
	return out
}

// in is where the result of a step lies whose record is in a run's folder. That may have been moved, or be asked about from another
// folder, so the run's own results are looked for in it, as the run itself does, before the path that was recorded.
func (e entry) in(run string) *store {
	own := &store{filepath.Join(run, "kept")}
	if _, err := os.Stat(own.folder(e.ID)); err == nil || e.Folder == "" {
		return own
	}
	return &store{filepath.Dir(e.Folder)}
}

// ErrRemoved tells that a step's result is kept no more.
var ErrRemoved = errors.New("its kept result was removed")

// Value reads the value of the step's result.
func (r Recorded) Value(into any) error {
	text, err := disk.Read(filepath.Join(r.folder, ManifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return ErrRemoved
	}
	if err != nil {
		return err
	}
	var m struct {
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return err
	}
	return json.Unmarshal(m.Value, into)
}
