package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"espalier/model"
	"espalier/model/prompt"
	"espalier/pipeline/chain"
	"espalier/pipeline/config"
	"espalier/pipeline/corpus"
	"espalier/pipeline/data"
	"espalier/pipeline/event"
	"espalier/pipeline/fault"
	"espalier/pipeline/measure"
	"espalier/pipeline/network"
	"espalier/pipeline/report"
	"espalier/pipeline/teacher"
	"espalier/torch"
)

// Verified is a network of a finished run, as its report says and as it is.
type Verified struct {
	Name      string // "teacher" or "student"
	Said, Is  report.Model
	Different []string // figures that are not as the report says; those of speed are not compared
}

// Verify measures the teacher and the student in a finished run's folder anew, on the run's data, and compares them with its
// report.
func Verify(ctx context.Context, folder string, events event.Events) (out []Verified, err error) {
	said, err := report.Read(filepath.Join(folder, "report.json"))
	if err != nil {
		return nil, &fault.InputError{Err: err}
	}
	cfg, err := config.FromResolved(filepath.Join(folder, "report.json"), said.Config)
	if err != nil {
		return nil, err
	}
	cfg.Teacher = config.TeacherConfig{Checkpoint: filepath.Join(folder, "teacher")}
	// Its results are of this moment: nothing is taken from a run, and nothing is left for one.
	if cfg.Output, err = os.MkdirTemp("", "espalier-verify-*"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(cfg.Output)
	cfg.Store = filepath.Join(cfg.Output, "store")
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r, err := open(cfg, Options{Events: events})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.chain.Close()) }()
	set, err := r.openData()
	if err != nil {
		return nil, err
	}
	t, err := teacher.Open(teacher.Options{Config: cfg, Set: set, Device: r.device, Events: events, Sum: r.index.Sum})
	if err != nil {
		return nil, err
	}
	defer t.Free()
	c, err := r.tokenize(set, t)
	if err != nil {
		return nil, err
	}
	for _, v := range []Verified{{Name: "teacher", Said: said.Teacher}, {Name: "student", Said: said.Student}} {
		n := t.Held
		if v.Name == "student" {
			at := filepath.Join(folder, v.Name)
			if n, err = heldAt(at, r.device); err != nil {
				return nil, err
			}
			defer n.Free()
			if c, err = r.readAs(at, n.Declared(), set, t.Reading); err != nil {
				return nil, err
			}
		}
		is, err := measure.Of(ctx, r.chain, measure.Subject{Network: n, Stage: v.Name, At: v.Name}, c.Splits, cfg.Eval)
		if err != nil {
			return nil, err
		}
		v.Is = is.Model
		v.Different = differences(v.Said, v.Is)
		out = append(out, v)
	}
	return out, nil
}

// readAs are the corpora as the student of a folder reads them, with the tokenizer that stands there.
func (r *run) readAs(folder string, student model.Network, set *data.Dataset, teacher corpus.Reading) (corpora, error) {
	reading := teacher
	var err error
	if reading.Words, err = prompt.Load(folder, student.Config(), teacher.Words.Template); err != nil {
		return corpora{}, &fault.InputError{Err: err}
	}
	reading.Form, reading.Files = student.Form(), chain.Of(folder)
	return r.read(set, reading, student.Config().Queries)
}

// heldAt is the network of a checkpoint folder.
func heldAt(folder string, on torch.Device) (*network.Held, error) {
	n, err := model.Load(folder, on)
	if err != nil {
		return nil, &fault.InputError{Err: err}
	}
	return network.New(chain.Of(folder), n, n, nil), nil
}

// differences lists the figures that are not the same: sizes and accuracies.
func differences(said, is report.Model) (out []string) {
	add := func(what string, said, is any) {
		if said != is {
			out = append(out, fmt.Sprintf("%s: the report says %v, it is %v", what, said, is))
		}
	}
	add("parameters", said.Parameters, is.Parameters)
	add("parameters by part", said.ParametersByPart, is.ParametersByPart)
	add("bytes", said.Bytes, is.Bytes)
	accuracy := func(what string, said, is report.Accuracy) {
		all := maps.Clone(said)
		if all == nil {
			all = report.Accuracy{}
		}
		maps.Copy(all, is)
		for _, task := range slices.Sorted(maps.Keys(all)) {
			add(what+" "+task, said[task], is[task])
		}
	}
	accuracy("accuracy on test,", said.Accuracy, is.Accuracy)
	accuracy("accuracy out of distribution,", said.OOD, is.OOD)
	categories := maps.Clone(said.AccuracyByCategory)
	if categories == nil {
		categories = map[string]report.Accuracy{}
	}
	maps.Copy(categories, is.AccuracyByCategory)
	for _, name := range slices.Sorted(maps.Keys(categories)) {
		accuracy("accuracy of category "+name+",", said.AccuracyByCategory[name], is.AccuracyByCategory[name])
	}
	return out
}
