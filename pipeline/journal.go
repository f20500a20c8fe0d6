package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"espalier/pipeline/report"
	"espalier/torch/disk"
)

// journal is what a run folder knows of its run: enough to go on after the last finished cut, and to print the tables of
// a finished run. It is written whole after each step that took long.
type journal struct {
	Config         map[string]any `json:"config"` // as resolved
	Teacher        *report.Model  `json:"teacher,omitempty"`
	TeacherSeconds float64        `json:"teacher_seconds"`
	Stages         []stageJournal `json:"stages"`
	Seconds        float64        `json:"seconds"` // of all starts so far
	PeakRSS        int64          `json:"peak_rss_bytes"`

	path string
}

// stageJournal is a stage that was begun.
type stageJournal struct {
	report.Stage
	Done   int  `json:"cuts_done"` // cuts that were distilled and saved
	Passed bool `json:"gate_passed"`
}

// openJournal reads a run folder's journal, or begins one. A folder that holds another configuration is refused.
func openJournal(c *Config) (*journal, error) {
	j := &journal{Config: c.Resolved(), path: filepath.Join(c.Output, "journal.json")}
	data, err := os.ReadFile(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err != nil {
		return nil, Inputf("output = %q: %w; give another folder", c.Output, err)
	}
	var found journal
	if err := json.Unmarshal(data, &found); err != nil {
		return nil, Inputf("%s: %w: remove the folder, or give another output", j.path, err)
	}
	if d := Diff(found.Config, j.Config); len(d) > 0 {
		text := fmt.Sprintf("%s holds a run with another configuration: ", c.Output)
		for i, x := range d {
			if i > 0 {
				text += ", "
			}
			text += x.String()
		}
		return nil, Inputf("%s; give another output, or remove the folder", text)
	}
	found.Config, found.path = j.Config, j.path
	return &found, nil
}

func (j *journal) save() error {
	data, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		return fmt.Errorf("pipeline: journal: %w", err)
	}
	return disk.Write(j.path, data)
}
