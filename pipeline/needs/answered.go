package needs

import (
	"errors"
	"fmt"
	"slices"

	"espalier/pipeline/config"
)

// checkAnswered finds what cannot learn from training questions without an answer: they have the teacher's word, which KL
// alone takes.
func (in Input) checkAnswered() error {
	c := in.Train
	without, any := -1, false // the first picture without an answer; whether any has one
	for p := range c.Asked.Questions {
		if c.Asked.Answered(p) {
			any = true
		} else if without < 0 {
			without = p
		}
	}
	if !any && in.Config.Teacher.Train != nil {
		return errors.New("data: no training question has an answer, and a teacher that is trained here learns from nothing else; add answers")
	}
	var faults []error
	for i, s := range in.Config.Stages {
		tried, _ := s.Tried()
		scored := slices.ContainsFunc(tried, func(c config.Candidate) bool { // on fixed pictures, none of which can be passed over
			return c.Loss == "distillation" && slices.Contains(config.ScoredByGradient, c.Criterion)
		})
		switch {
		case s.Distil.KL > 0 || without < 0:
		case !any && (s.Distil.Steps > 0 || scored):
			faults = append(faults, fmt.Errorf("%s.distil.kl is 0, and no training question has an answer: only KL learns from the teacher's; set it above 0", in.Config.Stages.Key(i)))
		case scored:
			faults = append(faults, fmt.Errorf(`%s.distil.kl is 0, and a picture has no answers: %s; its loss = "distillation", or a candidate's, has no gradient there; `+
				`set distil.kl above 0, or loss = "cross-entropy"`, in.Config.Stages.Key(i), c.Split.Place(without, 0)))
		}
	}
	return errors.Join(faults...)
}
