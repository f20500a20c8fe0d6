package pipeline

import (
	"errors"
	"fmt"
	"slices"

	"espalier/pipeline/config"
	"espalier/pipeline/data"
)

// answered tells whether one of the pictures has a question whose answer the data give.
func (c *corpus) answered(pictures ...int) bool {
	return slices.ContainsFunc(pictures, func(p int) bool {
		for j, q := range c.questions[p] {
			if q.Answer != nil && !c.teacher[p][j] {
				return true
			}
		}
		return false
	})
}

// next is the loader's next batch. Where only answers of the data's teach, it passes over batches that have none: their loss
// would have no gradient. The loader must not end, and a picture must have an answer.
func (c *corpus) next(l *data.Loader, answered bool) (*data.Batch, error) {
	for {
		b, err := l.Next()
		if err != nil || !answered || c.answered(b.Index...) {
			return b, err
		}
	}
}

// checkAnswered finds what cannot learn from training questions without an answer: they have the teacher's word, which KL
// alone takes.
func (r *run) checkAnswered() error {
	c := r.train
	without, any := -1, false // the first picture without an answer; whether any has one
	for p := range c.questions {
		if c.answered(p) {
			any = true
		} else if without < 0 {
			without = p
		}
	}
	if !any && r.cfg.Teacher.Train != nil {
		return errors.New("data: no training question has an answer, and a teacher that is trained here learns from nothing else; add answers")
	}
	var faults []error
	for i, s := range r.cfg.Stages {
		scored := s.Loss == "distillation" && slices.Contains(config.ScoredByGradient, s.Criterion) // on fixed pictures, none of which can be passed over
		switch {
		case s.Distil.KL > 0 || without < 0:
		case !any && (s.Distil.Steps > 0 || scored):
			faults = append(faults, fmt.Errorf("%s.distil.kl is 0, and no training question has an answer: only KL learns from the teacher's; set it above 0", r.cfg.StageKey(i)))
		case scored:
			faults = append(faults, fmt.Errorf(`%s.distil.kl is 0, and a picture has no answers: %s; its loss = "distillation" has no gradient there; `+
				`set distil.kl above 0, or loss = "cross-entropy"`, r.cfg.StageKey(i), c.split.Place(without, 0)))
		}
	}
	return errors.Join(faults...)
}
