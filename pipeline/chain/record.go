package chain

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"espalier/pipeline/event"
	"espalier/torch/disk"
)

// recordName is the file of a run's folder that says which result each of its steps has.
const recordName = "chain.json"

// recordVersion is that of the file's form. A record of another form is taken for none.
const recordVersion = 2

// record is a run's last chain, as its file has it.
type record struct {
	Version      int               `json:"version"`
	Environments map[Print]any     `json:"environments"` // that the steps were computed in: one, unless a start changed it and ended early
	Steps        []entry           `json:"steps"`
	Written      map[string]copied `json:"written"` // folders that are a result's copy, by name

	path   string
	events event.Events
	used   map[string]bool
}

// entry is a step of the chain.
type entry struct {
	At          string `json:"at"`
	ID          string `json:"id"`
	Folder      string `json:"folder,omitempty"` // of its result
	Content     Print  `json:"content"`
	Inputs      any    `json:"inputs"`
	Environment Print  `json:"environment"` // of the record's environments
}

// readRecord gives an empty record where there is none: it only says why a step is computed again.
func readRecord(path string, events event.Events) *record {
	r, err := parseRecord(path)
	if err != nil {
		r = &record{Version: recordVersion}
	}
	r.path, r.events, r.used = path, events, map[string]bool{}
	if r.Written == nil {
		r.Written = map[string]copied{}
	}
	if r.Environments == nil {
		r.Environments = map[Print]any{}
	}
	return r
}

// parseRecord gives fs.ErrNotExist where there is none.
func parseRecord(path string) (*record, error) {
	r := &record{}
	text, err := disk.Read(path)
	if err == nil {
		err = decode(text, r)
	}
	if err == nil && r.Version != recordVersion {
		err = fmt.Errorf("its version is %d, not %d", r.Version, recordVersion)
	}
	return r, err
}

// entry is what the chain has in a place, or nil.
func (r *record) entry(at string) *entry {
	for i := range r.Steps {
		if r.Steps[i].At == at {
			return &r.Steps[i]
		}
	}
	return nil
}

// compared tells why what the last chain had in a step's place does not serve: it is gone, or it was computed from something else.
func (r *record) compared(k *call) (gone bool, changed []string) {
	old := r.entry(k.at)
	switch {
	case old == nil:
		return false, nil
	case old.ID == k.id:
		return true, nil
	}
	return false, changes(map[string]any{"": old.Inputs, "environment": r.Environments[old.Environment]},
		map[string]any{"": k.inputs, "environment": k.environment})
}

// keep notes the result of a step.
func (r *record) keep(k *call, found Result) {
	environment := Of(k.environment)
	now := entry{At: k.at, ID: k.id, Folder: found.Folder, Content: found.Content, Inputs: k.inputs, Environment: environment}
	r.used[k.at] = true
	if old := r.entry(k.at); old == nil {
		r.Steps = append(r.Steps, now)
	} else if same := old.ID == now.ID && old.Folder == now.Folder && old.Content == now.Content; !same {
		*old = now
	} else {
		return
	}
	r.Environments[environment] = k.environment
	r.save()
}

// forget drops the steps that this chain did not have.
func (r *record) forget() {
	before := len(r.Steps)
	r.Steps = slices.DeleteFunc(r.Steps, func(e entry) bool { return !r.used[e.At] })
	if len(r.Steps) != before {
		r.save()
	}
}

// remember notes how a copy was written.
func (r *record) remember(name string, is copied) {
	r.Written[name] = is
	r.save()
}

// forgetCopy drops a copy that is no more.
func (r *record) forgetCopy(name string) {
	if _, there := r.Written[name]; there {
		delete(r.Written, name)
		r.save()
	}
}

func (r *record) save() {
	maps.DeleteFunc(r.Environments, func(e Print, _ any) bool {
		return !slices.ContainsFunc(r.Steps, func(s entry) bool { return s.Environment == e })
	})
	text, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = disk.Write(r.path, append(text, '\n'))
	}
	if err != nil {
		r.events.Note("%v", err)
	}
}
