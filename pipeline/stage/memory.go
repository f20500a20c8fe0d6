package stage

import (
	"fmt"
	"math"
	"slices"

	"espalier/distillation"
	"espalier/model"
	"espalier/pipeline/config"
	"espalier/pipeline/corpus"
	"espalier/pipeline/teacher"
	"espalier/torch"
	"espalier/torch/nn"
)

// estimate is the memory that one piece of work needs at its peak, bytes. Sizes of weights are exact; what a forward
// leaves for backward is reckoned from the towers' widths.
type estimate struct {
	What                                     string
	Weights, Gradients, Optimizer, Forwarded int64
}

func (e estimate) total() int64 { return e.Weights + e.Gradients + e.Optimizer + e.Forwarded }

// planned follows the sizes and dtypes of a run's networks from stage to stage without any values.
type planned struct {
	cfg   *config.Config
	on    torch.Device
	sizes map[string]int // bytes of an element, by model.DtypeKey
	batch shapes

	teacher model.Network // that is there beside a student that learns what it says, or its hidden states; else nil
	heard   int64         // bytes of its weights
}

// shapes is the widest that a batch of training pictures can be.
type shapes struct{ patches, queries, text, answers, asked int }

// shapesOf takes the longest row and the most questions of any picture.
func shapesOf(c *corpus.Corpus, of *model.Config) shapes {
	s := shapes{queries: of.Queries}
	if of.Towers() {
		side := of.Vision.Image / of.Vision.Patch
		s.patches = 1 + side*side
	}
	for _, questions := range c.Asked.Questions {
		text, answers := 0, 0
		for _, q := range questions {
			text += len(q.Prompt) + len(q.Answer)
			answers += len(q.Answer)
		}
		s.text, s.answers, s.asked = max(s.text, text), max(s.answers, answers), max(s.asked, len(questions))
	}
	return s
}

// peakOf is the largest of a run's pieces of work, without the program itself.
func peakOf(c *config.Config, first model.Network, dtypes model.Dtypes, train *corpus.Corpus) (peak estimate, err error) {
	p := planned{cfg: c, on: train.On, sizes: map[string]int{}, batch: shapesOf(train, first.Config())}
	for key, d := range dtypes {
		p.sizes[key] = d.Size()
	}
	take := func(e estimate) {
		if e.total() > peak.total() {
			peak = e
		}
	}
	if c.Teacher.Train != nil {
		take(p.training("training of the teacher", first, train))
	}
	take(p.answering("measuring the teacher", first, 0))
	p.teacher, p.heard = first, p.weights(first)
	n := first
	for i := range c.Stages {
		s, name := &c.Stages[i], c.Stages.Names()[i]
		first, err := s.Declare(n, 1)
		if err != nil {
			return peak, err
		}
		take(p.scoring(fmt.Sprintf("scoring of stage %s", name), n, s))
		take(p.proving(fmt.Sprintf("proof of stage %s", name), n, first, s))
		if s.Distil.Steps > 0 {
			take(p.distilling(fmt.Sprintf("distillation of stage %s", name), first, s.Distil))
		}
		last := first
		if s.Cuts > 1 {
			if last, err = s.Declare(n, s.Cuts); err != nil {
				return peak, err
			}
		}
		take(p.answering(fmt.Sprintf("measuring stage %s", name), last, p.weights(last)/2))
		n = last
	}
	return peak, nil
}

func (p *planned) size(param *nn.Param) int64 {
	return int64(param.Count()) * int64(p.sizes[model.DtypeKey(param.Name)])
}

func (p *planned) weights(n model.Network) (bytes int64) {
	for _, param := range n.Store().Params() {
		bytes += p.size(param)
	}
	return bytes
}

// largest is the parameter with the most elements: most often the token embeddings.
func largest(n model.Network) (elements int64) {
	for _, param := range n.Store().Params() {
		elements = max(elements, int64(param.Count()))
	}
	return elements
}

// head is the elements of the output head, and whether it is kept in halves.
func (p *planned) head(n model.Network) (elements int64, half bool) {
	h := n.HeadParams()[0]
	return int64(h.Count()), p.sizes[model.DtypeKey(h.Name)] == 2
}

// widths is what a tower's blocks are made of.
type widths struct{ blocks, hidden, heads, ffn int64 }

func towerOf(n model.Network, name string) (t widths) {
	for _, a := range n.Store().Axes() {
		if a.Tower != name {
			continue
		}
		switch a.Kind {
		case nn.Blocks:
			t.blocks += int64(a.Units())
		case nn.Hidden:
			t.hidden = int64(a.Units())
		case nn.Heads:
			t.heads += int64(a.Size())
		case nn.FFN:
			t.ffn += int64(a.Units())
		}
	}
	return t
}

// elements a token leaves in all blocks, and in the largest part of one block: each block makes some six tensors of the
// residual width, six of the heads' width and three of the FFN's.
func (t widths) elements() (all, one int64) {
	all = 6*t.blocks*t.hidden + 6*t.heads + 3*t.ffn
	return all, all / max(1, t.blocks)
}

// forwarded is what a forward over pictures keeps for backward; of frozen towers nothing, and under recompute each
// block's input and one block's all, twice with its gradients.
func (p *planned) forwarded(n model.Network, pictures, bytes int, frozen ...string) (sum int64) {
	b := p.batch
	for name, tokens := range map[string]int{"vision": b.patches, "qformer": b.queries + b.patches/2, "language": b.queries + b.text} {
		t := towerOf(n, name)
		all, one := t.elements()
		switch {
		case name == "vision" && slices.Contains(frozen, name):
			all = one
		case p.cfg.Recompute:
			all = t.blocks*t.hidden + 2*one
		}
		sum += all * int64(tokens) * int64(pictures*bytes)
	}
	return sum
}

// logits is what a loss makes of the scored positions, of which it takes so many logits at a time.
func (p *planned) logits(n model.Network, pictures int, atOnce int64) int64 {
	const copies = 8 // logits and log-probabilities of both, their products, and the gradients
	all := int64(pictures*p.batch.answers) * int64(n.HeadParams()[0].Shape()[0])
	if all <= atOnce {
		return copies * 4 * all
	}
	return 4 * (4*all + copies*atOnce) // logits of both, and the gradient twice
}

func (p *planned) scoring(what string, n model.Network, s *config.StageConfig) estimate {
	pictures := min(p.cfg.Importance.Batch, p.cfg.Importance.Pictures)
	bytes := p.sizes[model.DtypeKey(n.HeadParams()[0].Name)]
	return estimate{What: what, Weights: p.weights(n), Gradients: 2 * largest(n) * int64(bytes),
		Forwarded: p.forwarded(n, pictures, bytes) + p.logits(n, pictures, math.MaxInt64)}
}

// proving has both networks, and in float64 the table that is read first, the head, and a forward.
func (p *planned) proving(what string, before, after model.Network, s *config.StageConfig) estimate {
	e := estimate{What: what, Weights: p.weights(before)}
	if s.Name != "blocks" { // whole blocks share their memory
		e.Weights += p.weights(after)
	}
	head, _ := p.head(before)
	_, one := towerOf(before, "language").elements()
	e.Forwarded = 2*8*head + 8*verifyPictures*int64(p.batch.queries+p.batch.text)*one
	return e
}

func (p *planned) distilling(what string, n model.Network, d config.DistilConfig) estimate {
	e := estimate{What: what}
	for _, param := range n.Store().Params() {
		if !param.Trains(d.Freeze...) {
			e.Weights += p.size(param)
			continue
		}
		p.sizes[model.DtypeKey(param.Name)] = 4
		bytes := 4 * int64(param.Count())
		e.Weights, e.Gradients, e.Optimizer = e.Weights+bytes, e.Gradients+bytes, e.Optimizer+2*bytes
		if d.Average > 0 {
			e.Optimizer += bytes
		}
	}
	head, half := p.head(n)
	if half {
		e.Forwarded += 2 * 4 * head // the student's and the teacher's, in float32
	}
	if h := n.HeadParams()[0]; h.Trains(d.Freeze...) {
		e.Weights += 4 * head // the teacher's stays beside it
	}
	bytes := 4
	if d.Precision == "bf16" {
		bytes = 3 // some of it in float32
	}
	e.Gradients *= p.workers()
	e.Forwarded += p.forwarded(n, d.Batch, bytes, d.Freeze...) + p.logits(n, d.Batch, distillation.AtOnce)
	if hearsVaried(p.cfg) || d.Hidden > 0 { // its forward is over before the student's backward, whose tensors are there already
		e.Weights += p.heard
		e.Forwarded += p.once(p.teacher, d.Batch)
	}
	return e
}

// training has all weights in float32, and throw-away heads beside them.
func (p *planned) training(what string, n model.Network, train *corpus.Corpus) estimate {
	t := p.cfg.Teacher.Train
	bytes := 4 * (int64(n.Store().Count()) + teacher.HeadElements(n, train))
	e := estimate{What: what, Weights: bytes, Gradients: p.workers() * bytes, Optimizer: 2 * bytes}
	element := 4
	if t.Precision == "bf16" {
		element = 3 // some of it in float32
	}
	e.Forwarded = p.forwarded(n, t.Batch, element) + p.logits(n, t.Batch, math.MaxInt64)
	return e
}

// workers have gradients of their own.
func (p *planned) workers() int64 { return int64(p.cfg.WorkersOn(p.on)) }

// answering is a network with what it needs to answer a batch of pictures; stored is a copy in other dtypes.
func (p *planned) answering(what string, n model.Network, stored int64) estimate {
	return estimate{What: what, Weights: p.weights(n) + stored, Forwarded: p.once(n, p.cfg.Eval.Batch)}
}

// once is what a forward without backward over pictures needs at its widest.
func (p *planned) once(n model.Network, pictures int) (bytes int64) {
	for name, tokens := range map[string]int{"vision": p.batch.patches, "qformer": p.batch.queries, "language": p.batch.queries + p.batch.text} {
		t := towerOf(n, name)
		_, one := t.elements()
		if name == "language" {
			one += 2 * t.heads // the kept keys and values
		}
		bytes = max(bytes, 4*one*int64(tokens*pictures))
	}
	return bytes
}
