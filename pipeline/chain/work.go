package chain

import (
	"path/filepath"
	"time"

	"espalier/pipeline/event"
	"espalier/torch"
	"espalier/torch/disk"
)

// Work is what a step may use besides its input.
type Work struct {
	Environment Environment
	Events      event.Events
	Phase       event.Phase // that began with the step
	KeepEvery   time.Duration

	folder string
	save   func(folder string) error
	live   any
	free   func()
	pieces pieces
}

// Folder is for files that are written while they are computed. It holds what an interrupted attempt has left there.
func (w *Work) Folder() (string, error) {
	folder := filepath.Join(w.folder, "result")
	return folder, disk.MkdirAll(folder)
}

// State is a folder for what an interrupted attempt needs to go on. It is removed when the result is kept.
func (w *Work) State() string { return filepath.Join(w.folder, "state") }

// Files says how the result's files are written, once it is computed: where one folder is full, they go into another.
func (w *Work) Files(save func(folder string) error) { w.save = save }

// Hold gives the result in memory to the caller of Do, beside its files; free is called when that does not take it.
func (w *Work) Hold(live any, free func()) { w.live, w.free = live, free }

// Pieces divides a kind of batches of the step where memory is short, each into most pieces at the most. The result then
// records its pieces and is kept in the run's folder alone; a recheck divides in the same way.
func (w *Work) Pieces(what string, most int) *torch.Pieces {
	if w.pieces == nil {
		w.pieces = pieces{}
	}
	p := w.pieces[what]
	if p == nil {
		p = &torch.Pieces{}
		w.pieces[what] = p
	}
	p.Most, p.What, p.Note = most, what, func(text string) { w.Events.Note("%s", text) }
	return p
}

func (w *Work) release() {
	if w.free != nil {
		w.free()
	}
	w.live, w.free = nil, nil
}

// write writes the files into a store's work folder, seals them and moves them to their place.
func (w *Work) write(s *store, id string, m *manifest) (map[string]string, error) {
	folder := filepath.Join(s.work(id), "result")
	computed := filepath.Join(w.folder, "result")
	if w.save != nil || computed != folder { // an interrupted attempt may have left something
		if err := disk.RemoveAll(folder); err != nil {
			return nil, err
		}
	}
	if err := disk.MkdirAll(folder); err != nil {
		return nil, err
	}
	switch {
	case w.save != nil:
		if err := w.save(folder); err != nil {
			return nil, err
		}
	case computed != folder:
		if err := disk.CopyFolder(computed, folder); err != nil {
			return nil, err
		}
	}
	if err := disk.Sweep(folder); err != nil {
		return nil, err
	}
	sums, err := seal(folder, m)
	if err != nil {
		return nil, err
	}
	if err := disk.RemoveAll(s.folder(id)); err != nil { // a damaged one
		return nil, err
	}
	return sums, disk.Rename(folder, s.folder(id))
}
