// Package pipeline is a run: from a configuration to a teacher, through the stages to a student, and the report.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"espalier/distillation"
	"espalier/model"
	"espalier/model/prompt"
	"espalier/pipeline/data"
	"espalier/pipeline/report"
	"espalier/torch"
	"espalier/torch/disk"
)

// run is one start of a run.
type run struct {
	cfg     *Config
	events  Events
	journal *journal
	device  torch.Device
	started time.Time
	before  float64 // seconds of earlier starts
	program int64   // memory of the process before it has loaded anything, bytes

	set                          *data.Dataset
	words                        prompt.Words
	pre                          model.Preprocessor
	train, validation, test, ood *corpus // ood may be nil

	teacher      model.Network // once the first student has taken over its memory, its head alone
	dtypes       model.Dtypes  // of the student's checkpoint
	teacherMarks marks         // on the validation split
	outputs      *distillation.Outputs
}

// Run does what a configuration says and returns the report, which also lies in the output folder. A run that was cut
// short goes on after its last finished cut; a finished one returns its report. What has been computed is saved before
// any error is returned; a failed gate is a *GateError, a fault in what the user gave an *InputError.
func Run(ctx context.Context, cfg *Config, events Events) (*report.Report, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	// Scopes and autograd modes belong to a thread, and libgomp keeps a team of workers for each: one for the whole run.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cfg = cfg.clone() // what is kept may have to change for the export
	j, err := openJournal(cfg)
	if err != nil {
		return nil, err
	}
	r := &run{cfg: cfg, events: events, journal: j, started: time.Now(), before: j.Seconds}
	if finished, err := report.Read(r.path("report.json")); err == nil {
		events.Emit(Note{fmt.Sprintf("%s is finished; remove it to run again", cfg.Output)})
		events.Emit(Finished{finished})
		return finished, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, &InputError{err}
	}
	return r.do(ctx)
}

func (r *run) path(parts ...string) string {
	return filepath.Join(append([]string{r.cfg.Output}, parts...)...)
}

// do is the run from its beginning, or from where an earlier start came.
func (r *run) do(ctx context.Context) (*report.Report, error) {
	torch.SetNumThreads(r.cfg.Threads)
	r.program = procValue("/proc/self/status", "VmRSS:")
	var err error
	if r.device, err = torch.ParseDevice(r.cfg.Device); err != nil {
		return nil, &InputError{err}
	}
	if err := r.openData(); err != nil {
		return nil, err
	}
	if err := checkOutput(r.cfg.Output); err != nil {
		return nil, err
	}
	if err := r.prepareTeacher(ctx); err != nil {
		return nil, err
	}
	defer r.teacher.Store().Free()
	if err := r.openOutputs(ctx); err != nil {
		return nil, err
	}
	defer r.outputs.Close()
	student, err := r.stages(ctx)
	if student != nil && student != r.teacher {
		defer student.Store().Free()
	}
	if err != nil {
		return nil, errors.Join(err, r.save())
	}
	return r.finish(student)
}

// checkOutput finds, before anything is computed, a folder that cannot be written. It leaves nothing behind.
func checkOutput(output string) error {
	if err := disk.Try(output); err != nil {
		return Inputf("output = %q cannot be written (%w); give another folder", output, err)
	}
	return nil
}

func (r *run) openData() error {
	d := r.cfg.Data
	r.events.Emit(Phase{Name: "data"})
	set, err := data.Open(data.Config{Source: d.Source, Root: d.Root, Size: d.Size, Train: d.Train, Validation: d.Validation, Test: d.Test, OOD: d.OOD})
	if err != nil {
		return &InputError{err}
	}
	r.set = set
	if err := r.noteData(); err != nil {
		return err
	}
	return r.cfg.checkBatches(set.Train.Len())
}

// checkBatches finds, before anything is trained, a batch that the training split cannot fill.
func (c *Config) checkBatches(pictures int) error {
	check := func(key string, batch int) error {
		if batch > pictures {
			return Inputf("%s = %d is more than the %d training pictures; lower it", key, batch, pictures)
		}
		return nil
	}
	var faults []error
	if c.Teacher.Train != nil {
		faults = append(faults, check("teacher.train.batch", c.Teacher.Train.Batch))
	}
	for i, s := range c.Stages {
		faults = append(faults, check(c.stageKey(i)+".distil.batch", s.Distil.Batch))
	}
	return errors.Join(faults...)
}

// tokenize makes the corpora, once teacher and vocabulary are known, and checks what they need.
func (r *run) tokenize(c *model.Config) error {
	for _, s := range []struct {
		split *data.Split
		into  **corpus
	}{{r.set.Train, &r.train}, {r.set.Validation, &r.validation}, {r.set.Test, &r.test}, {r.set.OOD, &r.ood}} {
		if s.split == nil {
			continue
		}
		var err error
		if *s.into, err = newCorpus(s.split, r.words, r.pre, c.Form(), r.device); err != nil {
			return err
		}
		if note := (*s.into).divide(r.cfg.Data.RowTokens, c.Queries, r.cfg.Eval.MaxAnswerTokens); note != "" {
			r.note("%s", note)
		}
	}
	r.noteJoined()
	return r.checkNeeds(c)
}

// save brings the journal's clock up to date and writes it.
func (r *run) save() error {
	r.journal.Seconds = r.before + time.Since(r.started).Seconds()
	r.journal.PeakRSS = max(r.journal.PeakRSS, procValue("/proc/self/status", "VmHWM:"))
	return r.journal.save()
}

// openOutputs computes the teacher's outputs on the training split, or finds them in the run folder.
func (r *run) openOutputs(ctx context.Context) error {
	n, err := r.train.completeWith(ctx, r.teacher, r.cfg.Eval.Batch, r.cfg.Eval.MaxAnswerTokens)
	if err != nil {
		return err
	}
	if n > 0 {
		r.events.Emit(Note{fmt.Sprintf("%d training questions without an answer take the teacher's, and count for KL alone", n)})
	}
	path := r.path("teacher_outputs.safetensors")
	if _, err := os.Stat(path); err != nil {
		r.events.Emit(Phase{Stage: "teacher", Name: "outputs"})
		err := distillation.WriteOutputs(path, r.teacher, func(yield func(*model.Batch) error) error {
			return r.train.each(ctx, r.cfg.Eval.Batch, func(b *data.Batch) error {
				return torch.Run(func(*torch.Scope) error {
					packed, err := r.train.batch(b.Index, b.Pixels)
					if err != nil {
						return err
					}
					r.events.Emit(r.train.progress(b))
					return yield(packed)
				})
			})
		})
		if err != nil {
			return err
		}
	}
	r.outputs, err = distillation.OpenOutputs(path, r.teacher)
	return err
}

// finish measures nothing: it writes the student and the report.
func (r *run) finish(student model.Network) (*report.Report, error) {
	if err := r.asStored(student, r.saveStudent); err != nil {
		return nil, err
	}
	if err := r.save(); err != nil {
		return nil, err
	}
	j := r.journal
	out := &report.Report{
		Teacher: *j.Teacher, Student: *j.Teacher, Seed: r.cfg.Seed, Threads: r.cfg.Threads, Seconds: j.Seconds,
		TeacherSeconds: j.TeacherSeconds, PeakRSSBytes: j.PeakRSS, Config: j.Config, Versions: versions(r.device),
	}
	for _, s := range j.Stages {
		out.Stages = append(out.Stages, s.Stage)
		out.Student = s.Distilled
	}
	out.Ratio = report.RatioOf(out.Teacher, out.Student)
	if err := out.Check(); err != nil {
		return nil, err
	}
	if err := out.Write(r.path("report.json")); err != nil {
		return nil, err
	}
	if err := out.WritePlot(r.path("accuracy.png")); err != nil {
		return nil, err
	}
	r.events.Emit(Finished{out})
	return out, nil
}

// saveModel writes a checkpoint that stands alone: weights, config, tokenizer and preprocessing.
func (r *run) saveModel(n model.Network, folder string) error {
	if err := r.words.Save(folder); err != nil {
		return err
	}
	if err := r.pre.Save(folder); err != nil {
		return err
	}
	return n.Save(folder)
}

// loadModel is the reverse of saveModel for a checkpoint of this run.
func (r *run) loadModel(folder string) (model.Network, error) {
	return model.Load(folder, r.device)
}

func versions(on torch.Device) map[string]string {
	return map[string]string{"libtorch": torch.Version(), "go": strings.TrimPrefix(runtime.Version(), "go"), "device": on.String()}
}
