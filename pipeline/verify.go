package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"

	"espalier/model"
	"espalier/model/prompt"
	"espalier/pipeline/chain"
	"espalier/pipeline/corpus"
	"espalier/pipeline/data"
	"espalier/pipeline/event"
	"espalier/pipeline/fault"
	"espalier/pipeline/measure"
	"espalier/pipeline/network"
	"espalier/pipeline/report"
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
	said, cfg, err := ReadRun(folder)
	if err != nil {
		return nil, err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	a, err := OpenApart(cfg, events)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	splits := a.Splits
	for _, v := range []Verified{{Name: "teacher", Said: said.Teacher}, {Name: "student", Said: said.Student}} {
		n := a.Teacher.Held
		if v.Name == "student" {
			at := filepath.Join(folder, v.Name)
			if n, err = heldAt(at, a.run.device); err != nil {
				return nil, err
			}
			defer n.Free()
			c, err := a.run.readAs(at, n.Declared(), a.set, a.Teacher.Reading)
			if err != nil {
				return nil, err
			}
			splits = c.Splits
		}
		is, err := measure.Of(ctx, a.run.chain, measure.Subject{Network: n, Stage: v.Name, At: v.Name}, splits, cfg.Eval)
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
