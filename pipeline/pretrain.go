package pipeline

import (
	"context"
	"fmt"

	"espalier/distillation"
	"espalier/model"
	"espalier/pipeline/data"
	"espalier/torch"
	"espalier/torch/nn"
	"espalier/torch/optim"
)

// trainTeacher trains a network from its first values: first the visual side alone and then all of it, both with
// throw-away heads that say at once what the language model would take long to ask for; then all of it without them.
func (r *run) trainTeacher(ctx context.Context, m *model.Blip2) error {
	t := r.cfg.Teacher.Train
	heads, err := r.newPretraining(m)
	if err != nil {
		return err
	}
	defer heads.store.Free()
	first := t.PretrainSteps + t.Steps
	params := append(m.Store().Tensors(), heads.store.Tensors()...)
	if err := r.trainPhase(ctx, params, "learn", first, func(step int, b *data.Batch, cast func(func())) (*torch.Tensor, error) {
		return heads.loss(step, t.PretrainSteps, first, b, cast)
	}); err != nil {
		return err
	}
	return r.trainPhase(ctx, m.Store().Tensors(), "refine", t.RefineSteps, func(_ int, b *data.Batch, cast func(func())) (*torch.Tensor, error) {
		packed, err := r.train.batch(b.Index, b.Pixels)
		if err != nil {
			return nil, err
		}
		var logits *torch.Tensor
		cast(func() { logits = m.Logits(packed) })
		return distillation.CrossEntropy(logits, packed.Targets), nil
	})
}

// trainPhase runs steps with a warm-up and a cosine of their own over freshly shuffled pictures.
func (r *run) trainPhase(ctx context.Context, params []*torch.Tensor, name string, steps int,
	loss func(step int, b *data.Batch, cast func(func())) (*torch.Tensor, error)) error {
	t := r.cfg.Teacher.Train
	r.events.Emit(Phase{Stage: "teacher", Name: "train", Detail: name})
	l := r.train.shuffled(ctx, t.Batch, stream(r.cfg.Seed, "teacher", name))
	defer l.Close()
	var mean smoothed
	o := distillation.Options{Steps: steps, LR: t.LR, Schedule: optim.WarmupCosine(steps, t.Warmup, finalOfStage),
		WeightDecay: t.WeightDecay, Clip: t.Clip, Precision: precision(t.Precision), Device: r.device,
		Progress: func(step int, loss float64) {
			r.events.Emit(Progress{Done: step, Total: steps, Unit: "steps", Loss: mean.add(loss)})
		}}
	err := distillation.Train(ctx, params, o, func(step, _ int, cast func(func())) (*torch.Tensor, error) {
		b, err := r.train.next(l, true)
		if err != nil {
			return nil, err
		}
		return loss(step, b, cast)
	})
	if err != nil {
		return fmt.Errorf("teacher: %w", err)
	}
	return nil
}

// pretraining is the throw-away heads: one linear map of all the vision tower's tokens, and one of all the Q-Former's,
// to the first words of the answer to each task. Without them a network trained from scratch stays for long on a plateau
// where the language model asks nothing of the picture.
type pretraining struct {
	r               *run
	m               *model.Blip2
	store           *nn.Store
	vision, qformer *nn.Linear
	tasks           map[string]int
}

const (
	pretrainWords = 3  // words of an answer that the heads predict
	visionShrink  = 6  // the heads' inputs are divided by these: thousands of unit inputs make Adam's first
	qformerShrink = 3  // steps far too long
	pretrainGain  = 3  // weight of the heads' losses while the language model rests
	pretrainEnd   = .7 // share of the steps after which the heads have faded out
)

func (r *run) newPretraining(m *model.Blip2) (*pretraining, error) {
	p := &pretraining{r: r, m: m, tasks: map[string]int{}}
	for i, task := range r.set.Tasks {
		p.tasks[task] = i
	}
	if len(p.tasks) > 0 && r.train.split.Count(func(q data.Question) bool { return q.Task == "" }) > 0 { // else they would be taken for the first task's
		p.tasks[""] = len(r.set.Tasks)
	}
	c := m.Config()
	side := c.Vision.Image / c.Vision.Patch
	slots := nn.Fixed(max(1, len(p.tasks)) * pretrainWords * c.Text.Vocabulary)
	vision, qformer := c.Vision.Hidden*(1+side*side), c.QFormer.Hidden*c.Queries
	store, err := nn.Declare(nil, func(b *nn.Builder) {
		p.vision = b.Linear("vision", slots, nn.Fixed(vision), nn.Zeros)
		p.qformer = b.Linear("qformer", slots, nn.Fixed(qformer), nn.Zeros)
	})
	if err != nil {
		return nil, err
	}
	p.store = store
	return p, store.Init(0, r.device)
}

// loss is that of a step: the language model rests during the first ones, the heads fade out later.
func (p *pretraining) loss(step, rest, steps int, b *data.Batch, cast func(func())) (*torch.Tensor, error) {
	packed, err := p.r.train.batch(b.Index, b.Pixels)
	if err != nil {
		return nil, err
	}
	fading := float64(step) < pretrainEnd*float64(steps)
	resting := step < rest
	var vision, qformer, logits *torch.Tensor
	cast(func() {
		x := p.m.Vision(packed.Pictures)
		q := p.m.QFormer(x)
		if !resting {
			logits = p.m.Head(p.m.HiddenAfter(p.m.Project(q), packed))
		}
		if fading {
			vision = p.vision.Forward(x.Flatten(1, 2).MulScalar(1. / visionShrink))
			qformer = p.qformer.Forward(q.Flatten(1, 2).MulScalar(1. / qformerShrink))
		}
	})
	loss := torch.Zeros(nil, torch.Float32, p.r.device)
	if logits != nil {
		loss = loss.Add(distillation.CrossEntropy(logits, packed.Targets))
	}
	if fading {
		weight := float64(pretrainGain)
		if !resting {
			weight = 1 - float64(step)/(pretrainEnd*float64(steps))
		}
		rows, targets := p.targets(b.Index)
		both := p.words(vision, rows, targets).Add(p.words(qformer, rows, targets))
		loss = loss.Add(both.MulScalar(weight))
	}
	return loss, nil
}

// words is the cross entropy of a head's output [batch, tasks·words·vocabulary] at the asked slots.
func (p *pretraining) words(out, rows, targets *torch.Tensor) *torch.Tensor {
	logits := out.Reshape(-1, p.m.Config().Text.Vocabulary).IndexSelect(0, rows)
	return distillation.CrossEntropy(logits, targets)
}

// targets are the first words of each picture's answers and their slots. Of two questions of one task the first counts.
func (p *pretraining) targets(pictures []int) (rows, targets *torch.Tensor) {
	var at, words []int
	slots := max(1, len(p.tasks)) * pretrainWords
	for i, picture := range pictures {
		seen := map[int]bool{}
		for j, q := range p.r.train.split.Questions(picture) {
			task := p.tasks[q.Task]
			if seen[task] {
				continue
			}
			seen[task] = true
			answer := p.r.train.questions[picture][j].Answer
			for k := range min(pretrainWords, len(answer)) {
				at, words = append(at, i*slots+task*pretrainWords+k), append(words, answer[k])
			}
		}
	}
	return torch.FromInts(at, p.r.device, len(at)), torch.FromInts(words, p.r.device, len(words))
}

func precision(name string) torch.DType {
	if name == "bf16" {
		return torch.BFloat16
	}
	return torch.Float32
}

// smoothed is a running mean of losses for the progress bar.
type smoothed struct {
	value float64
	begun bool
}

func (s *smoothed) add(v float64) *float64 {
	if !s.begun {
		s.value, s.begun = v, true
	}
	s.value += .05 * (v - s.value)
	out := s.value
	return &out
}
