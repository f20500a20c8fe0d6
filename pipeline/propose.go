package pipeline

import (
	"context"
	"fmt"

	"espalier/pipeline/config"
	"espalier/pipeline/corpus"
	"espalier/pipeline/data"
	"espalier/pipeline/event"
	"espalier/pipeline/fault"
	"espalier/pipeline/needs"
	"espalier/pipeline/process"
	"espalier/pipeline/propose"
	"espalier/pipeline/report"
	"espalier/pipeline/stage"
	"espalier/pipeline/teacher"
	"espalier/torch"
)

// Ask is what a proposal is made for.
type Ask struct {
	Data   string // a data set's folder or file
	Model  string // a checkpoint's folder; empty: a teacher is trained
	Name   string // of the run's folder; empty: that of the data
	Events event.Events

	available int64 // memory for tests, bytes; 0: what there is
}

// Proposal is a first run.toml.
type Proposal struct {
	Text   string
	Config *config.Config
	Found  []string // what was found, a line each
	Need   stage.Memory
	Room   int64 // what there is of it, bytes; 0 where the system does not tell
}

// roomShare is how much of the memory that there is a proposal fills by its estimate.
const roomShare = .75

// Propose looks at data and network and gives a configuration that fits them and this machine. It has passed all that a run checks before it
// computes anything. Nothing is written but the checksums of the data's files, which the run needs too.
func Propose(ctx context.Context, ask Ask) (*Proposal, error) {
	loaded := process.Resident()
	look, err := data.LookAt(ask.Data)
	if err != nil {
		return nil, &fault.InputError{Err: err}
	}
	f := propose.Found{Root: ask.Data, Output: propose.FolderFor(ask.Name, ask.Data), Look: look, Machine: propose.Machine{Threads: config.Default().Threads, Memory: process.Available(), GPUs: torch.CUDADevices()}}
	if ask.Model != "" {
		if f.Model, err = propose.OpenModel(ask.Model); err != nil {
			return nil, err
		}
	}
	draft := propose.Choose(f)
	r := &run{cfg: draft, events: ask.Events, index: openIndex(draft, sharedFolder(draft, ask.Events))}
	if r.device, err = torch.ParseDevice(draft.Device); err != nil {
		return nil, &fault.InputError{Err: err}
	}
	if f.Set, err = openSet(draft.Data, r.index, 0); err != nil {
		return nil, fmt.Errorf("%w\n(go run ./cmd/pipeline data check %s lists all faults of the files)", err, ask.Data)
	}
	if pictures := f.Set.HasPictures(); f.Model != nil && pictures != f.Model.Config.Towers() { // teacher.Open says it of a run's keys
		return nil, mismatch(ask, pictures)
	}
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	if f.Tokens, err = lengths(r, f.Set); err != nil {
		return nil, err
	}
	cfg := propose.Choose(f)
	p := &Proposal{Room: ask.available}
	if p.Room == 0 && !r.device.IsCUDA() {
		p.Room = process.Available()
	}
	for {
		p.Text = propose.Text(f, cfg)
		if p.Config, err = config.Parse("run.toml", p.Text); err != nil {
			return nil, fmt.Errorf("the proposal does not pass: %w", err)
		}
		if p.Need, err = checked(r, f.Set, p.Config, loaded); err != nil {
			return nil, err
		}
		if fits := int64(roomShare * float64(p.Room)); p.Room == 0 || p.Need.Total() <= fits || !propose.Smaller(cfg, p.Need, fits) {
			break
		}
	}
	p.Found = f.Lines()
	if err := r.index.Save(); err != nil {
		ask.Events.Note("%v", err)
	}
	return p, nil
}

// mismatch says that the data are about pictures and the network is not made for any, or the other way round.
func mismatch(ask Ask, pictures bool) error {
	if pictures {
		return fault.Inputf("-data %s has pictures, and -model %s is a language model alone; name a BLIP-2 or InstructBLIP checkpoint, or leave -model out to train one", ask.Data, ask.Model)
	}
	return fault.Inputf("-data %s has no pictures, and -model %s looks at one for each question; name a checkpoint of a language model alone, or leave -model out to train one", ask.Data, ask.Model)
}

// lengths is how long the texts of a data set are in the tokens of the run's network.
func lengths(r *run, set *data.Dataset) (n propose.Tokens, err error) {
	t, err := teacher.Open(teacher.Options{Config: r.cfg, Set: set, Device: r.device, Events: nil, Sum: r.index.Sum})
	if err != nil {
		return n, err
	}
	defer t.Free()
	in := needs.Input{Config: r.cfg, Set: set, Network: t.Declared().Config()}
	for split, into := range map[*data.Split]**corpus.Corpus{set.Train: &in.Train, set.Validation: &in.Validation, set.Test: &in.Test, set.OOD: &in.OOD} {
		if split == nil {
			continue
		}
		if *into, err = corpus.New(split, t.Reading); err != nil {
			return n, err
		}
		for _, questions := range (*into).Asked.Questions {
			for _, q := range questions {
				n.Question.Add(len(q.Prompt))
				switch {
				case q.Answer != nil:
					n.Answer.Add(len(q.Answer) - 1)
				case split == set.Train:
					n.Open++
				}
			}
		}
	}
	n.Measured = needs.LongestAnswer(in)
	return n, nil
}

// checked holds a configuration against the data as a run does before it computes anything, and gives the memory that it needs.
func checked(r *run, set *data.Dataset, given *config.Config, loaded int64) (need stage.Memory, err error) {
	cfg, err := given.Resolve()
	if err != nil {
		return need, err
	}
	// What is said to the reader is said once, by the run.
	own := &run{cfg: cfg, device: r.device, index: r.index}
	if err := needs.CheckBatches(cfg, set); err != nil {
		return need, err
	}
	t, err := teacher.Open(teacher.Options{Config: cfg, Set: set, Device: r.device, Sum: r.index.Sum})
	if err != nil {
		return need, err
	}
	defer t.Free()
	c, err := own.tokenize(set, t)
	if err != nil {
		return need, err
	}
	if err := cfg.Stages.CheckKeep(t.Declared()); err != nil {
		return need, err
	}
	return stage.NeedOf(stage.Input{Config: cfg, Teacher: t, Train: c.train}, loaded)
}

// Line says in a line what the proposal needs.
func (p *Proposal) Line() string {
	text := fmt.Sprintf("memory: about %s at the peak, in the %s", report.Bytes(p.Need.Total()), p.Need.What)
	if p.Room > 0 {
		text += fmt.Sprintf("; %s are there", report.Bytes(p.Room))
		if p.Need.Total() > p.Room {
			text += ", which is too little: a smaller network, or a machine with more, is what helps"
		}
	}
	return text
}
