package distillation

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"espalier/torch"
	"espalier/torch/checkpoint"
	"espalier/torch/disk"
)

// Keep says where a training keeps its state, so that an interrupted one goes on with the same bits.
type Keep struct {
	Folder string        // empty: nowhere
	Every  time.Duration // how often; never so often that it takes more than a thirtieth of the time
	Steps  int           // also after so many steps; 0: only by the clock
	Last   bool          // also after the last step, where more is done before the result is kept
}

// largestShare of the time goes into keeping state.
const largestShare = .03

// The files of a state. The weights' name has the step in it, so that the state of before stays until the new one is whole.
const (
	placeName   = "place.json"
	weightsName = "weights-%d.safetensors"
)

// place is where a training stands; it is written after the weights.
type place struct {
	Step    int    `json:"step"`
	Skipped int    `json:"skipped"`
	InARow  int    `json:"skipped_in_a_row"`
	Pieces  int    `json:"pieces"`
	SHA256  string `json:"sha256"` // of the weights' file
}

// keeper remembers when state was kept.
type keeper struct {
	last time.Time
	cost time.Duration // of the last time
}

// saveAtTimes keeps the state when it is time to.
func (t *training) saveAtTimes() {
	k := t.o.Keep
	now := time.Now()
	if t.keeper.last.IsZero() {
		t.keeper.last = now
	}
	pause := max(k.Every, time.Duration(float64(t.keeper.cost)/largestShare))
	if k.Steps > 0 && t.step%k.Steps == 0 || k.Last && t.step == t.o.Steps || k.Every > 0 && now.Sub(t.keeper.last) >= pause {
		t.save()
	}
}

// save keeps the state. That it cannot be kept is told, and the training goes on.
func (t *training) save() {
	if t.o.Keep.Folder == "" || t.step == 0 {
		return
	}
	began := time.Now()
	if err := t.write(); err != nil {
		t.o.Note(fmt.Sprintf("the state of step %d cannot be kept: %v", t.step, err))
	}
	t.keeper.last = time.Now()
	t.keeper.cost = t.keeper.last.Sub(began)
}

func (t *training) write() error {
	folder := t.o.Keep.Folder
	if err := disk.MkdirAll(folder); err != nil {
		return err
	}
	path := filepath.Join(folder, fmt.Sprintf(weightsName, t.step))
	if err := checkpoint.WriteSafeTensors(path, t.tensors(), nil); err != nil {
		return err
	}
	sum, _, err := disk.Sum(path)
	if err != nil {
		return err
	}
	text, err := json.Marshal(place{Step: t.step, Skipped: t.skipped, InARow: t.row, Pieces: t.pieces, SHA256: sum})
	if err != nil {
		return err
	}
	if err := disk.Write(filepath.Join(folder, placeName), text); err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(folder, "weights-*.safetensors"))
	for _, file := range old {
		if file != path {
			err = errors.Join(err, disk.RemoveAll(file))
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
	return out
}

// restore goes on from a kept state. One that is damaged is told and not used.
func (t *training) restore() error {
	folder := t.o.Keep.Folder
	if folder == "" {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(folder, placeName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var at place
	if err == nil {
		err = json.Unmarshal(text, &at)
	}
	path := filepath.Join(folder, fmt.Sprintf(weightsName, at.Step))
	if err == nil {
		err = t.read(path, at.SHA256)
	}
	if err != nil {
		t.o.Note(fmt.Sprintf("the kept state in %s cannot be used (%v): the training begins anew", folder, err))
		return nil
	}
	t.step, t.skipped, t.row, t.pieces = at.Step, at.Skipped, at.InARow, min(max(1, at.Pieces), t.o.Pieces)
	t.o.Note(fmt.Sprintf("the training goes on after step %d of %d", t.step, t.o.Steps))
	return nil
}

// read copies the tensors of a file into the training's; all are checked before the first is changed.
func (t *training) read(path, want string) error {
	sum, _, err := disk.Sum(path)
	if err != nil {
		return err
	}
	if sum != want {
		return fmt.Errorf("%s is not what was written: its checksum is another", path)
	}
	file, err := checkpoint.OpenSafeTensors(path)
	if err != nil {
		return err
	}
	defer file.Close()
	into := t.tensors()
	for name, to := range into {
		info, ok := file.Info(name)
		if !ok || fmt.Sprint(info.Shape) != fmt.Sprint(to.Shape()) || info.DType != to.DType() {
			return fmt.Errorf("%s is of another network", path)
		}
	}
	return torch.Run(func(*torch.Scope) (err error) {
		torch.NoGrad(func() {
			for name, to := range into {
				from, e := file.Load(name, to.Device())
				if e != nil {
					err = e
					return
				}
				to.CopyFrom(from)
				from.Free()
			}
		})
		return err
	})
}
