package distillation

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"espalier/torch"
	"espalier/torch/checkpoint"
	"espalier/torch/disk"
)

// weightsName is the file of the tensors of a state. It has the step in it, so that the state of before stays until the new
// one is whole.
func weightsName(step int) string { return fmt.Sprintf("weights-%d.safetensors", step) }

// place is where a training stands; it is written after the weights.
type place struct {
	Step    int            `json:"step"`
	Skipped int            `json:"skipped"`
	InARow  int            `json:"skipped_in_a_row"`
	Course  Course         `json:"course"`
	Pieces  []torch.Growth `json:"pieces,omitempty"`
	SHA256  string         `json:"sha256"` // of the weights' file
}

// save keeps the state.
func (t *training) save() {
	if t.step > 0 {
		t.keeper.Save(fmt.Sprintf("the state of step %d", t.step), t.write)
	}
}

// write puts the state into the folder and removes the one of before.
func (t *training) write() error {
	name := weightsName(t.step)
	path := filepath.Join(t.keeper.Folder, name)
	if err := checkpoint.WriteSafeTensors(path, t.tensors(), nil); err != nil {
		return err
	}
	sum, _, err := disk.Sum(path)
	if err != nil {
		return err
	}
	at := place{Step: t.step, Skipped: t.skipped, InARow: t.row, Course: t.course, SHA256: sum}
	if t.o.Pieces != nil {
		at.Pieces = t.o.Pieces.Grown
	}
	if err := disk.WritePlace(t.keeper.Folder, at); err != nil {
		return err
	}
	files, err := os.ReadDir(t.keeper.Folder)
	for _, f := range files {
		if n := f.Name(); n != name && n != disk.PlaceName {
			err = errors.Join(err, disk.RemoveAll(filepath.Join(t.keeper.Folder, n)))
		}
	}
	return err
}

// tensors are the parameters, and what the optimizer knows of them.
func (t *training) tensors() map[string]*torch.Tensor {
	out := t.adam.State()
	for i, p := range t.params {
		out[fmt.Sprintf("param.%d", i)] = p
	}
	for i, w := range t.average.weights {
		out[fmt.Sprintf("average.%d", i)] = w
	}
	return out
}

// restore goes on from a kept state. One that is damaged is told and not used.
func (t *training) restore() error {
	if t.keeper.Folder == "" {
		return nil
	}
	var at place
	err := disk.ReadPlace(t.keeper.Folder, &at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var file *checkpoint.SafeTensors
	if err == nil {
		file, err = t.open(filepath.Join(t.keeper.Folder, weightsName(at.Step)), at.SHA256)
	}
	if err != nil {
		t.o.Note(fmt.Sprintf("the kept state in %s cannot be used (%v): the training begins anew", t.keeper.Folder, err))
		return nil
	}
	defer file.Close()
	if err := t.load(file); err != nil { // some parameters may have changed already: there is nothing to begin with
		return fmt.Errorf("distillation: the state of step %d: %w", at.Step, err)
	}
	t.step, t.skipped, t.row = at.Step, at.Skipped, at.InARow
	if at.Course.Steps == t.o.Steps {
		t.course = at.Course
		t.o.Points(t.course.Points)
	}
	if t.o.Pieces != nil {
		t.o.Pieces.Grown = at.Pieces
	}
	t.o.Note(fmt.Sprintf("the training goes on after step %d of %d", t.step, t.o.Steps))
	return nil
}

// open opens the tensors of a state, once they are known to be those that were written, and of this training.
func (t *training) open(path, want string) (*checkpoint.SafeTensors, error) {
	sum, _, err := disk.Sum(path)
	if err != nil {
		return nil, err
	}
	if sum != want {
		return nil, fmt.Errorf("%s is not what was written: its checksum is another", path)
	}
	file, err := checkpoint.OpenSafeTensors(path)
	if err != nil {
		return nil, err
	}
	into := t.tensors()
	fits := len(into) == len(file.Names())
	for name, to := range into {
		info, ok := file.Info(name)
		fits = fits && ok && slices.Equal(info.Shape, to.Shape()) && info.DType == to.DType()
	}
	if !fits {
		return nil, errors.Join(fmt.Errorf("%s is of another training", path), file.Close())
	}
	return file, nil
}

// load copies the tensors of a state into the training's.
func (t *training) load(file *checkpoint.SafeTensors) error {
	return torch.Run(func(*torch.Scope) (err error) {
		torch.NoGrad(func() {
			for name, to := range t.tensors() {
				var from *torch.Tensor
				if from, err = file.Load(name, to.Device()); err != nil {
					return
				}
				to.CopyFrom(from)
				from.Free()
			}
		})
		return err
	})
}
