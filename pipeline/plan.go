package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"espalier/model"
	"espalier/pipeline/chain"
	"espalier/pipeline/config"
	"espalier/pipeline/data"
	"espalier/pipeline/event"
	"espalier/pipeline/forecast"
	"espalier/pipeline/process"
	"espalier/pipeline/report"
	"espalier/pipeline/stage"
	"espalier/torch/disk"
)

// Plan says what a run will take and trains nothing: the sizes, the divisions of its targets (as events), memory, time and disk. Time and
// memory come from a rehearsal, which does a little of everything, at its real sizes, for about so long; 0 leaves it out. Nothing of the
// rehearsal is kept.
func Plan(ctx context.Context, given *config.Config, o Options, span time.Duration) (*forecast.Forecast, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cfg, err := given.Resolve()
	if err != nil {
		return nil, err
	}
	o.apart = true
	r, err := open(cfg, o)
	if err != nil {
		return nil, err
	}
	f, err := planned(ctx, r, span)
	r.journal.End(resultOf(err), err)
	return f, errors.Join(err, r.chain.Close())
}

func planned(ctx context.Context, r *run, span time.Duration) (*forecast.Forecast, error) {
	p, err := prepare(ctx, r)
	if err != nil {
		return nil, err
	}
	defer p.teacher.Free()
	f := &forecast.Forecast{}
	if f.Sizes, err = sizesOf(ctx, r, p); err != nil {
		return nil, err
	}
	for _, g := range p.goals {
		need, err := stage.NeedOf(p.input(g), p.loaded)
		if err != nil {
			return nil, err
		}
		if need.Total() > f.Memory.Estimated {
			f.Memory.Estimated, f.Memory.What = need.Total(), need.What
		}
	}
	if !r.device.IsCUDA() {
		f.Memory.There = process.Available()
	}
	if span > 0 {
		if err := rehearse(ctx, r, p, f, span); err != nil {
			return nil, err
		}
	}
	if len(p.goals[0].divisions) > 1 {
		f.Notes = append(f.Notes, fmt.Sprintf("sizes are those of the division %q; the run tries %d and goes on with the best one; times are the mean over them", p.goals[0].divisions[0].Report.Name, len(p.goals[0].divisions)))
	}
	f.Notes = append(f.Notes, "not in it: further tries of a stage whose gate does not pass; what is kept of earlier runs is not computed again")
	return f, nil
}

// sizesOf are the teacher's size and those that the stages of each goal leave.
func sizesOf(ctx context.Context, r *run, p *prepared) (sizes []forecast.Size, err error) {
	add := func(name string, n model.Network, dtypes model.Dtypes) {
		s := forecast.Size{Name: name, Parameters: int64(n.Store().Count())}
		for _, param := range n.Store().Params() {
			s.Bytes += int64(param.Count()) * int64(dtypes[model.DtypeKey(param.Name)].Size())
		}
		sizes = append(sizes, s)
	}
	t := p.teacher
	add("teacher", t.Declared(), t.Dtypes)
	for _, g := range p.goals {
		cfg := g.divisions[0].Config.Clone()
		if err := countTokens(ctx, r, t, p.corpora, cfg); err != nil {
			return nil, err
		}
		n := t.Declared()
		for i := range cfg.Stages {
			if n, err = cfg.Stages[i].Declare(n, cfg.Stages[i].Cuts); err != nil {
				return nil, err
			}
			name := fmt.Sprintf("%d %s", i+1, cfg.Stages.Names()[i])
			if g.name != "" {
				name = g.name + "/" + name
			}
			add(name, n, cfg.ExportDtypes(t.Dtypes))
		}
	}
	return sizes, nil
}

// rehearse runs everything with a few units of work in a folder of its own, twice where there is time: the first tells how much the second may do.
func rehearse(ctx context.Context, r *run, p *prepared, f *forecast.Forecast, span time.Duration) error {
	r.events.Emit(event.Phase{Name: "rehearsal", Detail: fmt.Sprintf("about %s", report.Duration(span.Seconds()))})
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, span, errRehearsed)
	defer cancel()
	folder := filepath.Join(r.cfg.Output, "rehearsal")
	defer func() { _ = disk.RemoveAll(folder) }()
	steps := fewestSteps
	for {
		h := &rehearsal{run: r, prepared: p, steps: steps, folder: folder}
		one := time.Now()
		err := h.do(ctx)
		if err != nil && !errors.Is(err, errRehearsed) {
			return fmt.Errorf("rehearsal: %w", err)
		}
		whole := err == nil
		if whole || len(f.Lines) == 0 {
			if err := h.tell(f, whole); err != nil {
				return err
			}
		}
		f.Rehearsed = time.Since(began).Seconds()
		took := time.Since(one)
		left := span - time.Since(began)
		more := int(float64(steps) * float64(left) / float64(took) * .6)
		if !whole || steps > fewestSteps || more < 2*steps {
			return nil
		}
		steps = min(more, mostSteps)
	}
}

// errRehearsed ends a rehearsal that takes too long.
var errRehearsed = errors.New("the rehearsal has had its time")

// A rehearsal's steps: two make one that is timed without what is done once.
const (
	fewestSteps = 2
	mostSteps   = 12
)

// rehearsal is a run in small.
type rehearsal struct {
	*run
	*prepared
	steps  int
	folder string

	small  []*config.Config // of each goal
	train  int              // pictures of its splits
	clock  *forecast.Clock
	real   []*config.Config // with the steps that the divisions leave
	kept   []chain.Listed
	loose  int64 // bytes of the checkpoints in its folder
	sample stage.Memory
}

func (h *rehearsal) do(ctx context.Context) error {
	if err := disk.RemoveAll(h.folder); err != nil {
		return err
	}
	p := *h.prepared
	p.goals = nil
	for _, g := range h.prepared.goals {
		small, err := h.config(ctx, g)
		if err != nil {
			return err
		}
		h.small = append(h.small, small)
		division := *g.divisions[0]
		division.Config = small
		one := &goal{name: g.name, divisions: []*stage.Division{&division}}
		if g.target != nil {
			target := *g.target
			target.Divisions = slices.Clone(target.Divisions[:1])
			one.target = &target
		}
		p.goals = append(p.goals, one)
	}
	if err := h.cut(&p); err != nil {
		return err
	}
	h.clock = forecast.NewClock()
	r := *h.run
	r.cfg, r.events, r.began, r.skipped = h.small[0], h.clock.Event, time.Now(), 0
	r.resolved = r.cfg.Resolved()
	p.options.Config, p.options.Events = r.cfg, r.events
	var err error
	if r.chain, err = chain.Open(h.run.chain.Environment, chain.Options{Folder: h.folder, KeepEvery: r.cfg.KeepEvery, Events: r.events}); err != nil {
		return err
	}
	whole := *p.teacher // a rehearsal's training is forgotten
	_, err = r.compute(ctx, &p)
	h.clock.End()
	p.teacher.Free()
	*p.teacher = whole
	h.kept, _ = chain.List(h.folder)
	h.loose = bytesIn(filepath.Join(h.folder, "teacher")) + bytesIn(filepath.Join(h.folder, "student")) + bytesIn(filepath.Join(h.folder, "students"))
	if need, e := stage.NeedOf(p.input(p.goals[0]), p.loaded); e == nil {
		h.sample = need
	}
	return errors.Join(err, r.chain.Close())
}

// config is that of a goal with little of everything: no gate can fail, and nothing is measured for long.
func (h *rehearsal) config(ctx context.Context, g *goal) (*config.Config, error) {
	c := g.divisions[0].Config.Clone()
	if n := len(g.divisions); n > 1 {
		spend(c.Stages, n)
	}
	h.real = append(h.real, c.Clone())
	c.Output, c.Store, c.Energy, c.Targets = h.folder, "", nil, nil
	if err := countTokens(ctx, h.run, h.teacher, h.corpora, c); err != nil {
		return nil, err
	}
	if t := c.Teacher.Train; t != nil {
		t.PretrainSteps, t.Steps, t.RefineSteps, t.Accept = min(t.PretrainSteps, h.steps), min(t.Steps, h.steps), min(t.RefineSteps, h.steps), nil
	}
	c.Importance.Pictures = min(c.Importance.Pictures, 2*c.Importance.Batch)
	for i := range c.Stages {
		s := &c.Stages[i]
		tried, _ := s.Tried()
		others := make([]string, 0, len(tried))
		for _, by := range tried[1:] {
			others = append(others, by.String())
		}
		s.Candidates, s.CandidateSteps = &others, 0
		s.Alpha, s.AlphaTask, s.Gate = 1, nil, "not lost"
		if s.Distil.Steps == 0 {
			continue
		}
		s.CandidateSteps = h.steps
		s.Distil.Steps = min(s.Distil.Steps, (s.Cuts+1)*h.steps+len(tried)*h.steps)
	}
	c.Eval.LatencyRuns, c.Eval.LatencyWarmup = min(c.Eval.LatencyRuns, 10), min(c.Eval.LatencyWarmup, 2)
	return c, nil
}

// cut leaves some pictures of each split.
func (h *rehearsal) cut(p *prepared) (err error) {
	c := h.small[0]
	train := max(c.Importance.Pictures, 2*c.Eval.Batch)
	for i := range c.Stages {
		train = max(train, (h.steps+1)*c.Stages[i].Distil.Batch*c.Stages[i].Distil.Accumulate)
	}
	if t := c.Teacher.Train; t != nil {
		train = max(train, (h.steps+1)*t.Batch)
	}
	for train < p.set.Train.Len() && 4*answeredOf(p.set.Train, train) < train { // a teacher learns from those with answers
		train *= 2
	}
	small := *p.set
	small.Train = small.Train.First(train)
	small.Validation, small.Test = small.Validation.First(2*c.Eval.Batch), small.Test.First(2*c.Eval.Batch)
	if small.OOD != nil {
		small.OOD = small.OOD.First(2 * c.Eval.Batch)
	}
	p.set = &small
	r := *h.run
	r.events = nil
	if p.corpora, err = r.read(&small, p.teacher.Reading, p.teacher.Declared().Config().Queries); err != nil {
		return err
	}
	h.train = p.corpora.train.Split.Len()
	return nil
}

// answeredOf is how many of the first pictures have an answer.
func answeredOf(s *data.Split, first int) (n int) {
	for i := range min(first, s.Len()) {
		if slices.ContainsFunc(s.Questions(i), func(q data.Question) bool { return len(q.Answers) > 0 }) {
			n++
		}
	}
	return n
}

// tell makes a forecast of what was timed. One that was not whole says so.
func (h *rehearsal) tell(f *forecast.Forecast, whole bool) error {
	var lines []forecast.Line
	phases := h.clock.Phases()
	last := "the beginning"
	if n := len(phases); n > 0 && !whole {
		last = strings.TrimSpace(fmt.Sprintf("%s %s %s", phases[n-1].Stage, phases[n-1].Name, phases[n-1].Detail))
		if !phases[n-1].Timed() {
			phases = phases[:n-1]
		}
	}
	outline, rehearsed := h.outlines()
	for i := range h.goals {
		w := forecast.Work{Config: h.real[i], Rehearsed: h.small[i], Train: h.seen(h.corpora.train.Split.Parts().Pictures()), Splits: map[string]int{},
			Candidate: min(h.corpora.Validation.Split.Len(), stage.CandidatePictures), Mean: outline, Rehearsal: rehearsed}
		w.Names = w.Config.Stages.Names()
		w.Splits["validation"], w.Splits["test"] = h.corpora.Validation.Split.Parts().Pictures(), h.corpora.Test.Split.Parts().Pictures()
		if h.corpora.OOD != nil {
			w.Splits["ood"] = h.corpora.OOD.Split.Parts().Pictures()
		}
		lines = append(lines, forecast.Lines(w, ofGoal(phases, h.goals, i))...)
	}
	f.Lines = forecast.Merged(append(lines, forecast.Rest(outline, phases)...))
	need, err := stage.NeedOf(h.input(h.goals[0]), h.loaded)
	if err != nil {
		return err
	}
	f.Memory.Measured = process.Peak()
	if f.Memory.Measured > 0 { // pictures with more questions than those of the rehearsal take more
		f.Memory.Measured += max(0, need.Total()-h.sample.Total())
	}
	if !whole {
		f.Memory.Measured = 0
		f.Notes = append(f.Notes, fmt.Sprintf("the rehearsal had its time and came to %q: the times of what follows are reckoned from the sizes; -rehearse 10m gives it more", last))
	}
	h.disk(f)
	return nil
}

// outlines are the run's, where a stage costs the mean over the divisions, and with the first divisions alone, which are rehearsed.
func (h *rehearsal) outlines() (run, rehearsed []event.Work) {
	var firsts []*goal
	for i, g := range h.goals {
		firsts = append(firsts, &goal{name: g.name, divisions: []*stage.Division{{Config: h.real[i]}}})
	}
	of := func(goals []*goal) []event.Work { return outlineOf(h.run.cfg, h.teacher, h.corpora, goals).Work }
	return of(h.goals), of(firsts)
}

// seen is how many of so many training pictures the stages see.
func (h *rehearsal) seen(pictures int) int {
	if n := h.run.cfg.Data.Stages; n > 0 {
		return min(n, pictures)
	}
	return pictures
}

// ofGoal are the phases of one of several students; the first has those of the teacher too.
func ofGoal(phases []*forecast.Phase, goals []*goal, i int) (own []*forecast.Phase) {
	for _, p := range phases {
		of := 0
		for k, g := range goals {
			if g.name != "" && len(p.Stage) > len(g.name) && p.Stage[:len(g.name)+1] == g.name+"/" {
				of = k
			}
		}
		if of == i {
			own = append(own, p)
		}
	}
	return own
}

// disk sums what the rehearsal has kept: checkpoints are as large as the run's, and outputs are so much for each picture.
func (h *rehearsal) disk(f *forecast.Forecast) {
	var results, distilled, largest int64
	for _, l := range h.kept {
		bytes := l.Bytes
		switch l.Step {
		case "outputs":
			bytes = bytes * int64(h.seen(h.corpora.train.Split.Len())) / int64(max(1, h.seen(h.train)))
		case "distil":
			distilled += bytes
			largest = max(largest, bytes)
		case "teacher":
			largest = max(largest, bytes)
		}
		results += bytes
	}
	for _, g := range h.goals {
		if n := len(g.divisions); n > 1 { // each makes a student after each stage
			results += int64(n) * distilled
		}
	}
	const state = 3 // weights and the optimizer's two moments, while a training is under way
	results += state * largest
	own := h.run.cfg.Output
	shared := sharedFolder(h.run.cfg, nil)
	if shared == "" {
		shared = own
	}
	f.Disk = []forecast.Place{{What: "kept results, with the state of a training under way", Folder: shared, Bytes: results, Free: process.FreeDisk(shared)},
		{What: "teacher and student", Folder: own, Bytes: h.loose, Free: process.FreeDisk(own)}}
}

// bytesIn are those of all files below a folder; links are not followed.
func bytesIn(folder string) (sum int64) {
	_ = filepath.WalkDir(folder, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil // what is not there takes no room
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			sum += info.Size()
		}
		return nil
	})
	return sum
}
