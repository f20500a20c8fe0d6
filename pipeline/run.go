// Package pipeline is a run: from a configuration to a teacher, through the stages to a student, and the report.
package pipeline

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"espalier/pipeline/chain"
	"espalier/pipeline/config"
	"espalier/pipeline/data"
	"espalier/pipeline/energy"
	"espalier/pipeline/event"
	"espalier/pipeline/fault"
	"espalier/pipeline/journal"
	"espalier/pipeline/measure"
	"espalier/pipeline/needs"
	"espalier/pipeline/process"
	"espalier/pipeline/report"
	"espalier/pipeline/stage"
	"espalier/pipeline/teacher"
	"espalier/torch"
	"espalier/torch/disk"
)

// Options are what a run is asked for besides its configuration.
type Options struct {
	Events  event.Events
	Lines   io.Writer // gets each line of events.jsonl as it is written; nil: nobody does
	Recheck bool      // results that are found are computed once more, and compared

	apart   bool            // leave no files of events: the run only measures
	memory  int64           // bytes that decoded pictures may take, for tests; 0: as many as the data's default
	machine *energy.Machine // what [energy] measures with, for tests; nil: what there is
}

// Run does what a configuration says and returns the report, which also lies in the output folder. Every step's result is
// kept under what it was computed from: a run that was cut short goes on, a finished one ends at once, and a changed one
// computes what the change moves. A stage that was not accepted ends the run with the student before it: the report is
// whole, and the error is a *stage.GateError. A fault in what the user gave is an *fault.InputError, and a panic a *fault.Panic: the run's events have an
// end before a command raises it again.
//
// Where on_error = "skip", a row that breaks while the run uses it starts the run once more, for which the data are opened
// without it. Each start but the first must have left out more rows than the one before, so that it ends.
func Run(ctx context.Context, given *config.Config, o Options) (*report.Report, error) {
	// Scopes and autograd modes belong to a thread, and libgomp keeps a team of workers for each: one for the whole run.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for before := -1; ; {
		done, skipped, again, err := start(ctx, given, o, before)
		if !again {
			return done, err
		}
		var broken *data.Unreadable
		errors.As(err, &broken)
		before = skipped
		o.Events.Note("%v; the run starts again without the rows that cannot be read, and computes again what depends on them", broken)
	}
}

// start is one start of a run. It also tells how many rows of the data were left out, and whether these are more than before and another
// start may get further.
func start(ctx context.Context, given *config.Config, o Options, before int) (done *report.Report, skipped int, again bool, err error) {
	cfg, err := given.Resolve()
	if err != nil {
		return nil, 0, false, err
	}
	r, err := open(cfg, o)
	if err != nil {
		return nil, 0, false, err
	}
	done, err = r.do(ctx)
	again = errors.As(err, new(*data.Unreadable)) && given.Data.OnError == "skip" && r.skipped > before
	result := resultOf(err)
	if again {
		result = event.Again
	}
	told := err
	if cause := context.Cause(ctx); result == event.Stopped && cause != nil && !errors.Is(err, cause) {
		told = cause // knows the signal
	}
	r.journal.End(result, told)
	return done, r.skipped, again, errors.Join(err, r.chain.Close())
}

// resultOf is what the journal calls the end of a start.
func resultOf(err error) event.Result {
	switch {
	case err == nil:
		return event.Done
	case errors.Is(err, context.Canceled):
		return event.Stopped
	case errors.As(err, new(*stage.GateError)):
		return event.Refused
	case errors.As(err, new(*fault.InputError)):
		return event.Input
	}
	return event.Failed
}

// run is one start of a run: its configuration, and the chain of its results.
type run struct {
	cfg      *config.Config
	resolved map[string]any // as it was given: the export may change what stages keep
	events   event.Events
	device   torch.Device
	journal  *journal.Journal
	chain    *chain.Chain
	index    *disk.Index // checksums of the files of data and teacher
	began    time.Time
	dataName string
	memory   int64 // see Options
	skipped  int   // rows of the data that were left out
	machine  *energy.Machine
}

// prepared is a run before anything is computed: what it is made of has been opened and checked, and it is known what the stages keep.
type prepared struct {
	set     *data.Dataset
	options teacher.Options
	teacher *teacher.Teacher
	corpora corpora
	goals   []*goal
	loaded  int64 // bytes that the program itself had taken
}

// do is the recipe.
func (r *run) do(ctx context.Context) (_ *report.Report, err error) {
	defer fault.Caught(&err)
	p, err := prepare(ctx, r)
	if err != nil {
		return nil, err
	}
	defer p.teacher.Free()
	if o := outlineOf(r.cfg, p.teacher, p.corpora, p.goals); len(o.Work) > 0 {
		r.events.Emit(o)
	}
	for _, g := range p.goals {
		in := p.input(g)
		in.Events = r.events
		if err := stage.TellMemory(in, p.loaded); err != nil {
			return nil, err
		}
	}
	return r.compute(ctx, p)
}

// prepare is the part of the recipe that computes nothing but how fast networks of several sizes are, where a target asks for it.
func prepare(ctx context.Context, r *run) (_ *prepared, err error) {
	p := &prepared{loaded: process.Resident()}
	if p.set, err = r.openData(); err != nil {
		return nil, err
	}
	p.options = teacher.Options{Config: r.cfg, Set: p.set, Device: r.device, Events: r.events, Sum: r.index.Sum}
	if p.teacher, err = teacher.Open(p.options); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			p.teacher.Free()
		}
	}()
	if p.corpora, err = r.tokenize(p.set, p.teacher); err != nil {
		return nil, err
	}
	if err := r.index.Save(); err != nil {
		r.events.Note("%v", err)
	}
	p.goals, err = r.plan(ctx, p.teacher, p.corpora)
	return p, err
}

// input is that of a goal's stages, as far as nothing is computed.
func (p *prepared) input(g *goal) stage.Input {
	return stage.Input{Config: g.divisions[0].Config, Teacher: p.teacher, Train: p.corpora.train, Splits: p.corpora.Splits}
}

// compute is the part that does the work.
func (r *run) compute(ctx context.Context, p *prepared) (_ *report.Report, err error) {
	t, c, loaded := p.teacher, p.corpora, p.loaded
	in := p.input(p.goals[0])
	in.Events = r.events
	defer func() { err = stage.ExplainShort(err, in, loaded) }()

	out := &report.Report{}
	for _, row := range p.set.Skipped {
		out.Skipped = append(out.Skipped, report.Row(row))
	}
	if out.TeacherSeconds, err = t.Fetch(ctx, r.chain, p.options, c.train); err != nil {
		return nil, err
	}
	if err := keepTeacher(r, t); err != nil {
		return nil, err
	}
	if n := r.cfg.Data.Stages; n > 0 {
		if c.train, err = corpusOf(r, p.set.Train.First(n), t.Reading, t.Declared().Config().Queries); err != nil {
			return nil, err
		}
		in.Train = c.train
	}
	if in.Marks, err = r.hearTeacher(ctx, t, c.Splits); err != nil {
		return nil, err
	}
	subject := measure.Subject{Network: t.Held, Stage: "teacher", At: "teacher", Validation: &in.Marks}
	measured, err := measure.Of(ctx, r.chain, subject, c.Splits, r.cfg.Eval)
	if err != nil {
		return nil, err
	}
	out.Teacher, in.Test = measured.Model, measured.Test
	tellTeacher(r.events, measured, c.Test)
	if err := checkAccepted(r.cfg.Teacher.Train, in.Marks, c.Splits); err != nil {
		return nil, err
	}
	if err := complete(ctx, r, t, c); err != nil {
		return nil, err
	}
	if stage.ReadsOutputs(r.cfg) {
		if in.Outputs, err = t.Outputs(ctx, r.chain, c.train, stage.OutputForm(r.cfg), r.cfg.Eval.Batch); err != nil {
			return nil, err
		}
	}

	var refused error
	for _, g := range p.goals {
		if g.name != "" {
			in.Prefix = g.name + "/"
		}
		student, stages, err := r.make(ctx, in, g, out)
		switch {
		case errors.As(err, new(*stage.GateError)):
			refused = errors.Join(refused, err)
		case err != nil:
			return nil, err
		}
		out.Add(g.name, g.target, student, stages)
	}
	if out, err = r.finish(out, p.set); err == nil && refused != nil {
		err = refused
	}
	return out, err
}

// open makes the output folder, and the chain in it, before anything is computed.
func open(cfg *config.Config, o Options) (*run, error) {
	torch.SetNumThreads(cfg.Threads)
	written := journal.New(o.Events, o.Lines)
	o.Events = written.Event
	device, err := torch.ParseDevice(cfg.Device)
	if err != nil {
		return nil, &fault.InputError{Err: err}
	}
	if t := cfg.Teacher.Train; t != nil && t.Precision == autoPrecision {
		t.Precision = precisionOf(device)
	}
	r := &run{device: device, journal: written, cfg: cfg, resolved: cfg.Resolved(), events: o.Events, began: time.Now(), memory: o.memory, machine: o.machine}
	if err := checkOldFolder(cfg.Output); err != nil {
		return nil, err
	}
	environment, err := chain.EnvironmentOf(r.device, cfg.Threads, cfg.WorkersOn(r.device))
	if err != nil {
		return nil, err
	}
	shared := sharedFolder(cfg, o.Events)
	r.chain, err = chain.Open(environment, chain.Options{Folder: cfg.Output, Shared: shared, Limit: int64(cfg.StoreLimit),
		KeepEvery: cfg.KeepEvery, Recheck: o.Recheck, Events: o.Events})
	var locked *disk.ErrLocked
	switch {
	case errors.As(err, &locked):
		return nil, fault.Inputf("output = %q is in use by process %d; wait until that run ends, or give another folder", cfg.Output, locked.PID)
	case err != nil:
		return nil, fault.Inputf("output = %q cannot be written (%w); give another folder", cfg.Output, err)
	}
	folder := cfg.Output
	if o.apart {
		folder = ""
	}
	written.Begin(folder, event.Start{PID: os.Getpid(), Output: cfg.Output, Seed: cfg.Seed, Threads: cfg.Threads, Device: r.device.String()})
	r.index = openIndex(cfg, shared)
	return r, nil
}

// openIndex has the checksums of the files of data and teacher that earlier runs have taken.
func openIndex(cfg *config.Config, shared string) *disk.Index {
	at := shared
	if at == "" {
		at = filepath.Join(cfg.Output, "kept")
	}
	return disk.OpenIndex(filepath.Join(at, "files.json"))
}

// checkOldFolder refuses a run folder of the form that earlier versions wrote.
func checkOldFolder(output string) error {
	if _, err := os.Stat(filepath.Join(output, "journal.json")); err == nil {
		return fault.Inputf("output = %q holds a run of an earlier version, which this one cannot go on with (its student/ stays readable); give another folder", output)
	}
	return nil
}

// UserStore is the folder in the user's cache where results lie that runs share.
func UserStore() (string, error) {
	cache, err := os.UserCacheDir()
	return filepath.Join(cache, "espalier", "results"), err
}

// sharedFolder is where results lie that runs share; empty where there is no such place.
func sharedFolder(cfg *config.Config, events event.Events) string {
	if cfg.Store != "user" {
		return cfg.Store
	}
	folder, err := UserStore()
	if err != nil {
		events.Note("there is no cache folder (%v): results are kept in %s alone", err, cfg.Output)
		return ""
	}
	return folder
}

// openData opens the data set, and says what a reader of the figures should know of it.
func (r *run) openData() (*data.Dataset, error) {
	r.events.Emit(event.Phase{Name: "data"})
	set, err := openSet(r.cfg.Data, r.index, r.memory)
	if err != nil {
		return nil, err
	}
	r.skipped, r.dataName = len(set.Skipped), set.Name
	if !set.HasPictures() {
		r.cfg.Data.Vary = nil
	}
	needs.Doubts(r.cfg, set, r.events)
	return set, needs.CheckBatches(r.cfg, set)
}

// openSet opens the data set of a configuration; memory is what its decoded pictures may take, bytes, 0 the default.
func openSet(d config.DataConfig, index *disk.Index, memory int64) (*data.Dataset, error) {
	from, err := data.Configured(d)
	if err != nil {
		return nil, err
	}
	from.Sum, from.MemoryBudget = index.Sum, memory
	set, err := data.Open(from)
	if err != nil {
		return nil, &fault.InputError{Err: err}
	}
	return set, nil
}
