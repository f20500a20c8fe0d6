package teacher

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"espalier/distillation"
	"espalier/model"
	"espalier/pipeline/chain"
	"espalier/pipeline/config"
	"espalier/pipeline/corpus"
	"espalier/pipeline/data"
	"espalier/pipeline/event"
	"espalier/pipeline/random"
	"espalier/torch"
	"espalier/torch/optim"
)

// trainInput is all that a teacher's weights depend on.
type trainInput struct {
	Sizes   config.TrainConfig // what it must reach at least is left out, and the names of files
	Network []byte             // its config.json
	Train   *corpus.Corpus
	Vary    data.Vary // how far its pictures are changed
	Tasks   []string  // of the data
	Init    uint64    // seed of the first values
	Learn   uint64    // seeds of the order of the pictures
	Refine  uint64
}

// Trained is what is told of a training.
type Trained struct {
	Skipped int                   // steps whose loss or gradients were no numbers
	Courses []distillation.Course // of its phases
}

var trainStep = chain.Step[trainInput, Trained]{Name: "teacher", Compute: train}

// Train gives the teacher of [teacher.train], whose network is declared: its folder is a checkpoint that stands alone.
func Train(ctx context.Context, c *chain.Chain, o Options, network *model.Config, train *corpus.Corpus) (kept chain.Kept[Trained], err error) {
	in := trainInput{Sizes: *o.Config.Teacher.Train, Train: train, Tasks: o.Set.Tasks,
		Init: random.Stream(o.Config.Seed, "teacher", "init"), Learn: random.Stream(o.Config.Seed, "teacher", "learn"),
		Refine: random.Stream(o.Config.Seed, "teacher", "refine")}
	in.Sizes.Accept, in.Sizes.Config, in.Sizes.Tokenizer = nil, "", ""
	if in.Network, err = network.Marshal(); err != nil {
		return kept, err
	}
	if v := o.Config.Data.Vary; v != nil && v.Teacher {
		in.Vary = corpus.Vary(v)
	}
	if kept, err = chain.Do(ctx, c, chain.Place{At: "teacher/train"}, trainStep, in); err == nil && kept.Reused {
		for i, course := range kept.Value.Courses {
			o.Events.Emit(event.Curve{Phase: phaseOf([]string{learnName, refineName}[i]), Kept: true, Points: course.Points})
		}
	}
	return kept, err
}

// train trains a network from its first values: first the visual side alone and then all of it, both with throw-away heads
// that say at once what the language model would take long to ask for; then all of it without them. A decoder alone needs no heads.
func train(ctx context.Context, w *chain.Work, in trainInput) (Trained, error) {
	c, err := model.ParseConfig(in.Network)
	if err != nil {
		return Trained{}, err
	}
	m, err := model.New(c)
	if err != nil {
		return Trained{}, err
	}
	if err := m.Store().Init(in.Init, in.Train.On); err != nil {
		return Trained{}, err
	}
	r, err := trainBoth(ctx, w, in, m)
	if err == nil {
		err = model.CheckFinite(m)
	}
	if err != nil {
		m.Store().Free()
		if short := (*torch.OutOfMemory)(nil); errors.As(err, &short) {
			err = fmt.Errorf("%w; a smaller network in [teacher.train] needs less", err)
		}
		return r, fmt.Errorf("teacher: %w", err)
	}
	m.Store().SetRequiresGrad(false)
	w.Hold(m, m.Store().Free)
	w.Files(func(folder string) error { return in.Train.Save(m, folder) })
	return r, nil
}

func trainBoth(ctx context.Context, w *chain.Work, in trainInput, m *model.Blip2) (r Trained, err error) {
	t := in.Sizes
	learners, free, err := newLearners(in, m, w.Environment.Workers)
	defer free()
	if err != nil {
		return r, err
	}
	first := t.Steps
	if learners[0].heads != nil {
		first += t.PretrainSteps
	}
	learnt, err := trainPhase(ctx, w, in, learners, learnName, in.Learn, first)
	if err != nil {
		return r, err
	}
	for i := range learners {
		learners[i].heads = nil
	}
	refined, err := trainPhase(ctx, w, in, learners, refineName, in.Refine, t.RefineSteps)
	return Trained{learnt.Skipped + refined.Skipped, []distillation.Course{learnt.Course, refined.Course}}, err
}

// learner is the network as one worker trains it: the same memory, with gradients of its own.
type learner struct {
	in    trainInput
	m     *model.Blip2
	heads *pretraining // nil where there are none
}

// newLearners are so many, the network itself first; free drops all but that.
func newLearners(in trainInput, m *model.Blip2, workers int) (learners []learner, free func(), err error) {
	own := learner{in: in, m: m}
	var frees []func()
	free = func() {
		for _, f := range frees {
			f()
		}
	}
	if m.Config().Towers() {
		if own.heads, err = newPretraining(m, in.Train, in.Tasks); err != nil {
			return nil, free, err
		}
		frees = append(frees, own.heads.store.Free)
	}
	for learners = append(learners, own); len(learners) < workers; {
		n, err := model.Share(m)
		if err != nil {
			return nil, free, err
		}
		frees = append(frees, n.Store().Free)
		l := learner{in: in, m: n.(*model.Blip2)}
		if own.heads != nil {
			if l.heads, err = own.heads.share(l.m); err != nil {
				return nil, free, err
			}
			frees = append(frees, l.heads.store.Free)
		}
		learners = append(learners, l)
	}
	return learners, free, nil
}

func (l learner) params() []*torch.Tensor {
	params := l.m.Store().Tensors()
	if l.heads != nil {
		params = append(params, l.heads.store.Tensors()...)
	}
	return params
}

// loss is that of a step of so many, or what a piece of its batch adds.
func (l learner) loss(step, steps int, b, whole *data.Batch, cast func(func())) (*torch.Tensor, error) {
	if l.heads != nil {
		return l.heads.loss(step, l.in.Sizes.PretrainSteps, steps, b, whole, cast)
	}
	packed, err := l.in.Train.Batch(b.Index, b.Pixels)
	if err != nil {
		return nil, err
	}
	var logits *torch.Tensor
	cast(func() { logits = l.m.Logits(packed) })
	return answersLoss(l.in.Train, logits, packed, whole), nil
}

// answersLoss is the cross entropy of a batch's answers, or what a piece of it adds.
func answersLoss(train *corpus.Corpus, logits *torch.Tensor, b *model.Batch, whole *data.Batch) *torch.Tensor {
	var rows distillation.Rows
	rows.All, rows.Labelled = train.Asked.Rows(whole.Index...)
	return distillation.Loss{CE: 1}.OfPiece(logits, nil, b.Targets, nil, rows)
}

// finalRate is the share of the learning rate at the end of a phase.
const finalRate = .02

// The phases of a training.
const learnName, refineName = "learn", "refine"

func phaseOf(name string) event.Phase {
	return event.Phase{Stage: "teacher", Name: "train", Detail: name}
}

// trainPhase runs steps with a warm-up and a cosine of their own over freshly shuffled pictures. Its state is kept apart from
// the other phase's; one that an interrupted run has finished is there with its last step.
func trainPhase(ctx context.Context, w *chain.Work, in trainInput, learners []learner, name string, seed uint64, steps int) (distillation.Trained, error) {
	t := in.Sizes
	w.Events.Emit(phaseOf(name))
	feed := in.Train.Feed(ctx, t.Batch, seed, true)
	feed.Vary = in.Vary
	defer feed.Close()
	o := distillation.Options{Steps: steps, LR: t.LR, Schedule: optim.WarmupCosine(steps, t.Warmup, finalRate),
		WeightDecay: t.WeightDecay, Clip: t.Clip, Precision: corpus.Precision(t.Precision), Device: in.Train.On, Threads: w.Environment.WorkerThreads(),
		Pieces:   w.Pieces("teacher: "+name, t.Batch),
		Keep:     distillation.Keep{Folder: filepath.Join(w.State(), name), Every: w.KeepEvery, Last: true},
		Note:     func(text string) { w.Events.Note("teacher: %s", text) },
		Progress: w.Events.Steps(steps), Points: w.Events.Points}
	var crew []distillation.Worker
	for _, l := range learners {
		crew = append(crew, distillation.Worker{Params: l.params(), Loss: func(at distillation.At, cast func(func())) (*torch.Tensor, error) {
			b, whole, err := feed.Piece(at.Step, at.Piece, at.Pieces)
			if err != nil || b == nil {
				return nil, err
			}
			return l.loss(at.Step, steps, b, whole, cast)
		}})
	}
	o.Beside = crew[1:]
	return distillation.Train(ctx, crew[0].Params, o, crew[0].Loss)
}
