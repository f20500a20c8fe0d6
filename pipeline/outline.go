package pipeline

import (
	"cmp"
	"fmt"
	"strings"

	"espalier/model"
	"espalier/pipeline/config"
	"espalier/pipeline/corpus"
	"espalier/pipeline/event"
	"espalier/pipeline/stage"
	"espalier/pipeline/teacher"
)

// backward is what a step of training costs in forwards: itself, and backward with the gradients of activations and weights.
const backward = 3

// outline lists the phases that a run will have if every gate passes, with what each costs about, for the time that is left. A weight is in
// multiplications, reckoned from the parameters that a token meets; what a unit of it takes is learnt while the run goes on.
type outline struct {
	cfg    *config.Config
	c      corpora
	each   typical
	prefix string
	group  int
	work   []event.Work
}

// typical is how many tokens the pictures of a split have, and how many questions, on average.
type typical struct{ patches, queries, text, answers, questions float64 }

// outlineOf is empty where the sizes of the stages are not known.
func outlineOf(cfg *config.Config, t *teacher.Teacher, c corpora, goals []*goal) event.Outline {
	o := &outline{cfg: cfg, c: c, each: typicalOf(c.train, t.Declared().Config())}
	o.teacher(t.Declared())
	for _, g := range goals {
		if g.name != "" {
			o.prefix = g.name + "/"
		}
		if len(g.divisions) > 1 {
			if err := o.divisions(cmp.Or(g.name, "target"), g.divisions, t.Declared()); err != nil {
				return event.Outline{}
			}
		}
		if err := o.student(g.divisions, t.Declared()); err != nil {
			return event.Outline{}
		}
	}
	return event.Outline{Work: o.work}
}

func typicalOf(c *corpus.Corpus, of *model.Config) (t typical) {
	t.queries = float64(of.Queries)
	if of.Towers() {
		side := of.Vision.Image / of.Vision.Patch
		t.patches = float64(1 + side*side)
	}
	n := float64(len(c.Asked.Questions))
	for _, questions := range c.Asked.Questions {
		t.questions += float64(len(questions)) / n
		for _, q := range questions {
			t.text += float64(len(q.Prompt)+len(q.Answer)) / n
			t.answers += float64(len(q.Answer)) / n
		}
	}
	return t
}

// forward is what a network takes for a picture with its questions.
func (o *outline) forward(n model.Network) float64 {
	parts, e := n.Store().CountByPart(), o.each
	head := 1.
	for _, size := range n.HeadParams()[0].Shape() {
		head *= float64(size)
	}
	return float64(parts["vision"])*e.patches + float64(parts["qformer"])*(e.queries+e.patches/3) + float64(parts["projection"])*e.queries +
		float64(parts["language_blocks"])*(e.queries+e.text) + head*e.answers
}

// add adds a phase, of a group of its own: the work before it is over when it begins.
func (o *outline) add(stage, name, detail string, weight float64) {
	o.group++
	o.among(1, stage, name, detail, weight)
}

// among adds phases to the group at hand, whose order is not known. An empty detail stands for any.
func (o *outline) among(times int, stage, name, detail string, weight float64) {
	if weight > 0 {
		o.work = append(o.work, event.Work{Stage: stage, Phase: name, Detail: detail, Times: times, Group: o.group, Weight: weight})
	}
}

func (o *outline) teacher(n model.Network) {
	one := o.forward(n)
	if t := o.cfg.Teacher.Train; t != nil {
		steps := t.Steps
		if n.Config().Towers() {
			steps += t.PretrainSteps
		}
		o.add("teacher", "train", "learn", backward*one*float64(steps*t.Batch))
		o.add("teacher", "train", "refine", backward*one*float64(t.RefineSteps*t.Batch))
	}
	o.add("teacher", "measure", "on validation", o.answering(n, o.c.Validation))
	o.measure("teacher", "", n)
	if stage.ReadsOutputs(o.cfg) {
		o.add("teacher", "outputs", "", one*float64(o.c.train.Split.Len()))
	}
}

// answering is what a network takes to answer a split: it reads all once and says a few tokens.
func (o *outline) answering(n model.Network, c *corpus.Corpus) float64 {
	if c == nil {
		return 0
	}
	return 1.5 * o.forward(n) * float64(c.Split.Len())
}

// measure is the measurement of a network on test and ood, and unless it was just cut of its speed.
func (o *outline) measure(stage string, when event.When, n model.Network) {
	detail := func(what string) string { return strings.TrimSpace(string(when) + " " + what) }
	o.add(stage, "measure", detail("on test"), o.answering(n, o.c.Test))
	o.add(stage, "measure", detail("on ood"), o.answering(n, o.c.OOD))
	if when != event.Pruned {
		one := o.forward(n)
		o.add(stage, "measure", detail("speed"), one/max(1, o.each.questions)*float64(o.cfg.Eval.LatencyWarmup+o.cfg.Eval.LatencyRuns)+one*float64(o.cfg.Eval.ThroughputBatch))
	}
}

// scoring is what the scores of a stage take.
func (o *outline) scoring(s *config.StageConfig, n model.Network) float64 {
	pictures := float64(min(o.cfg.Importance.Pictures, o.c.train.Split.Len()))
	if len(s.Scored()) == 0 {
		return 0
	}
	return backward * o.forward(n) * pictures
}

func (o *outline) distilling(s *config.StageConfig, n model.Network, steps int) float64 {
	return backward * o.forward(n) * float64(steps*s.Distil.Batch*max(1, s.Distil.Accumulate))
}

// divisions are the short stages of each division that is tried. What a phase of theirs costs is the mean over the divisions.
func (o *outline) divisions(name string, of []*stage.Division, n model.Network) error {
	steps, _ := stepsOfDivisions(o.cfg.Stages, len(of))
	steps /= len(o.cfg.Stages) + 1
	score, distil, answer := make([]float64, len(o.cfg.Stages)), make([]float64, len(o.cfg.Stages)), 0.
	times := float64(len(of))
	for _, d := range of {
		before := n
		for i := range d.Config.Stages {
			s := &d.Config.Stages[i]
			after, err := s.Declare(before, s.Cuts)
			if err != nil {
				return err
			}
			score[i] += o.scoring(s, before) / times
			distil[i] += o.distilling(s, after, steps) / times
			before = after
		}
		answer += o.answering(before, o.c.Validation) / times
	}
	o.group++
	for i, own := range o.cfg.Stages.Names() {
		o.among(len(of), name, "score "+own, "", score[i])
		o.among(len(of), name, "distil "+own, "", distil[i])
	}
	o.among(2*len(of), name, "measure", "", answer)
	return nil
}

// student is the stages towards a goal: the phases of the first division, since others may have other cuts. What all phases of a name cost in a stage is
// the mean over the divisions, of which any may turn out best.
func (o *outline) student(of []*stage.Division, n model.Network) error {
	type name struct{ stage, phase string }
	var first *outline
	own, mean := map[name]float64{}, map[name]float64{}
	for _, d := range of {
		c := d.Config.Clone()
		if len(of) > 1 {
			spend(c.Stages, len(of))
		}
		division := *o
		division.work = nil
		if err := division.stages(c, n); err != nil {
			return err
		}
		for _, w := range division.work {
			weight := float64(w.Times) * w.Weight
			mean[name{w.Stage, w.Phase}] += weight / float64(len(of))
			if first == nil {
				own[name{w.Stage, w.Phase}] += weight
			}
		}
		if first == nil {
			first = &division
		}
	}
	for _, w := range first.work {
		of := name{w.Stage, w.Phase}
		w.Weight *= mean[of] / own[of]
		o.work = append(o.work, w)
	}
	o.group = first.group
	return nil
}

// stages are those of one student.
func (o *outline) stages(c *config.Config, n model.Network) error {
	for i, own := range c.Stages.Names() {
		s, name := c.Stages[i], o.prefix+own
		last, err := s.Declare(n, s.Cuts)
		if err != nil {
			return err
		}
		if tried, steps := s.Tried(); len(tried) > 1 && len(s.Scored()) > 0 {
			o.candidates(name, &s, n, last, len(tried), steps)
			s.Distil.Steps -= steps * len(tried)
		}
		before := n
		for cut := 1; cut <= s.Cuts; cut++ {
			after, err := s.Declare(n, cut)
			if err != nil {
				return err
			}
			detail := fmt.Sprintf("cut %d/%d", cut, s.Cuts)
			o.add(name, "score", detail, o.scoring(&s, before))
			if cut == s.Cuts {
				o.measure(name, event.Pruned, after)
			}
			o.add(name, "distil", detail, o.distilling(&s, after, s.StepsOf(cut)))
			before = after
		}
		o.add(name, "measure", "distilled the gate's validation split", o.answering(last, o.c.Validation))
		o.measure(name, event.Distilled, last)
		n = last
	}
	return nil
}

// candidates are the ways to score that a stage tries: the steps of all together are known, and who takes them is not.
func (o *outline) candidates(name string, s *config.StageConfig, before, after model.Network, n, steps int) {
	o.group++
	o.among(n, name, "score", anyCandidate, o.scoring(s, before))
	o.among(2*n, name, "measure", anyCandidate, o.answering(after, o.c.Validation))
	rounds := stage.Rounds(n)
	for round, alive := 1, n; round <= rounds; round, alive = round+1, (alive+1)/2 {
		o.among(alive, name, fmt.Sprintf("distil round %d", round), "", o.distilling(s, after, steps*n/rounds/alive))
	}
}

// anyCandidate stands for the details of all candidates.
const anyCandidate = "candidate "
