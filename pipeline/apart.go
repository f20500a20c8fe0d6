package pipeline

import (
	"errors"
	"os"
	"path/filepath"

	"espalier/pipeline/config"
	"espalier/pipeline/corpus"
	"espalier/pipeline/data"
	"espalier/pipeline/event"
	"espalier/pipeline/fault"
	"espalier/pipeline/measure"
	"espalier/pipeline/report"
	"espalier/pipeline/teacher"
)

// Apart is what a run works with, opened outside a run: nothing is taken from one, and nothing is left for one.
type Apart struct {
	Config  *config.Config
	Teacher *teacher.Teacher
	Train   *corpus.Corpus
	measure.Splits

	run *run
	set *data.Dataset
}

// ReadRun is the report of a finished run's folder, and its configuration with the folder's own teacher.
func ReadRun(folder string) (*report.Report, *config.Config, error) {
	file := filepath.Join(folder, "report.json")
	said, err := report.Read(file)
	if err != nil {
		return nil, nil, &fault.InputError{Err: err}
	}
	cfg, err := config.FromResolved(file, said.Config)
	if err != nil {
		return nil, nil, err
	}
	cfg.Teacher = config.TeacherConfig{Checkpoint: filepath.Join(folder, "teacher")}
	return said, cfg, nil
}

// OpenApart opens the data and the teacher of a resolved configuration, whose teacher must be a checkpoint. The caller has locked its
// thread, as [Run] does.
func OpenApart(given *config.Config, events event.Events) (_ *Apart, err error) {
	cfg := given.Clone()
	if cfg.Teacher.Checkpoint == "" {
		return nil, fault.Inputf("teacher.train: the teacher is not trained here: name the folder of a finished run, or give teacher.checkpoint")
	}
	if cfg.Output, err = os.MkdirTemp("", "espalier-apart-*"); err != nil {
		return nil, err
	}
	cfg.Store = filepath.Join(cfg.Output, "store")
	a := &Apart{Config: cfg}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	if a.run, err = open(cfg, Options{Events: events, apart: true}); err != nil {
		return nil, err
	}
	if a.set, err = a.run.openData(); err != nil {
		return nil, err
	}
	if a.Teacher, err = teacher.Open(teacher.Options{Config: cfg, Set: a.set, Device: a.run.device, Events: events, Sum: a.run.index.Sum}); err != nil {
		return nil, err
	}
	c, err := a.run.tokenize(a.set, a.Teacher)
	a.Train, a.Splits = c.train, c.Splits
	return a, err
}

// Close frees the teacher and removes what lay on disk.
func (a *Apart) Close() (err error) {
	if a.Teacher != nil {
		a.Teacher.Free()
	}
	if a.run != nil {
		err = a.run.chain.Close()
	}
	return errors.Join(err, os.RemoveAll(a.Config.Output))
}
