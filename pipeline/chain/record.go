package chain

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"espalier/torch/disk"
)

// recordName is the file of a run's folder that says which result each of its steps has.
const recordName = "chain.json"

// record is a run's last chain.
type record struct {
	Version int              `json:"version"`
	Steps   []entry          `json:"steps"`
	Copies  map[string]Print `json:"copies"` // folders that are a result's copy, by name: the result and the sums of the files
	used    map[string]bool
}

// entry is a step of the chain.
type entry struct {
	At          string `json:"at"`
	ID          string `json:"id"`
	Folder      string `json:"folder,omitempty"` // of its result
	Content     Print  `json:"content"`
	Inputs      any    `json:"inputs"`
	Environment any    `json:"environment"`
}

// readRecord gives an empty record where there is none: it only says why a step is computed again.
func readRecord(path string) *record {
	r := &record{}
	if text, err := os.ReadFile(path); err != nil || json.Unmarshal(text, r) != nil {
		r = &record{}
	}
	r.Version, r.used = 1, map[string]bool{}
	if r.Copies == nil {
		r.Copies = map[string]Print{}
	}
	return r
}

func (r *record) entry(at string) *entry {
	for i := range r.Steps {
		if r.Steps[i].At == at {
			return &r.Steps[i]
		}
	}
	return nil
}

// keepRecord notes the result of a step.
func (c *Chain) keepRecord(k *call, found Result) {
	now := entry{At: k.at, ID: k.id, Folder: found.Folder, Content: found.Content, Inputs: k.inputs, Environment: k.environment}
	c.record.used[k.at] = true
	c.seconds += found.Seconds
	c.peak = max(c.peak, found.PeakRSS, peakRSS())
	if old := c.record.entry(k.at); old == nil {
		c.record.Steps = append(c.record.Steps, now)
	} else if same := old.ID == now.ID && old.Folder == now.Folder && old.Content == now.Content; !same {
		*old = now
	} else {
		return
	}
	c.saveRecord()
}

func (c *Chain) saveRecord() {
	text, err := json.MarshalIndent(c.record, "", "  ")
	if err == nil {
		err = disk.Write(filepath.Join(c.o.Folder, recordName), append(text, '\n'))
	}
	if err != nil {
		c.o.Events.Note("%v", err)
	}
}

// Finish forgets the steps of earlier chains that this one did not have, and says what was reused at the end.
func (c *Chain) Finish() {
	c.told.flush(c)
	before := len(c.record.Steps)
	c.record.Steps = slices.DeleteFunc(c.record.Steps, func(e entry) bool { return !c.record.used[e.At] })
	if len(c.record.Steps) != before {
		c.saveRecord()
	}
}

// tally are the steps in a row whose results were found, and whether a reason to compute again was told.
type tally struct {
	reused []string
	all    []string
	reason bool
}

// tell says in one line what is reused, and of the first step that is computed again why.
func (c *Chain) tell(k *call, reused bool) {
	if reused {
		c.told.reused, c.told.all = append(c.told.reused, k.at), append(c.told.all, k.at)
		return
	}
	c.told.flush(c)
	old := c.record.entry(k.at)
	if old == nil {
		return
	}
	if old.ID == k.id {
		c.o.Events.Note("%s: its kept result is gone; it is computed again", k.at)
		return
	}
	why := changes(map[string]any{"": old.Inputs, "environment": old.Environment}, map[string]any{"": k.inputs, "environment": k.environment})
	if len(why) == 0 || c.told.reason {
		return
	}
	c.told.reason = true
	c.o.Events.Note("%s is computed again, and what stands on it: %s", k.at, strings.Join(why, ", "))
}

// fewReused are named one by one.
const fewReused = 6

func (t *tally) flush(c *Chain) {
	if len(t.reused) > 0 {
		text := strings.Join(t.reused, ", ")
		if n := len(t.reused); n > fewReused {
			text = fmt.Sprintf("%s … %s (%d results)", t.reused[0], t.reused[n-1], n)
		}
		c.o.Events.Note("reused: %s", text)
	}
	t.reused = nil
}

// Reused are the steps whose results were found, in their order.
func (c *Chain) Reused() []string { return c.told.all }

// Spent is how many seconds went into the steps that this chain has computed, Seconds into all of its steps, whenever they
// were computed.
func (c *Chain) Spent() float64   { return c.spent }
func (c *Chain) Seconds() float64 { return c.seconds }

// PeakRSS is the most memory that a process has had while it computed one of the steps, in bytes.
func (c *Chain) PeakRSS() int64 { return c.peak }
