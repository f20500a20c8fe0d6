package stage

import (
	"slices"

	"espalier/model"
	"espalier/pipeline/config"
	"espalier/pipeline/corpus"
	"espalier/torch/nn"
)

// over is the input of a run for a student whose vocabulary was cut to these of the teacher's tokens: what it reads, answers and
// learns from, all in its own ids. nil tokens are all. respelled hears of texts that have lost tokens.
func (in Input) over(student model.Network, respelled func(c *corpus.Corpus, questions int)) (Input, error) {
	tokens := student.Config().Tokens
	if tokens == nil {
		return in, nil
	}
	in.Outputs = in.Outputs.Over(tokens)
	for _, c := range []**corpus.Corpus{&in.Train, &in.Splits.Validation, &in.Splits.Test, &in.Splits.OOD} {
		if *c == nil {
			continue
		}
		cut, n, err := (*c).Over(tokens, student.Form())
		if err != nil {
			return in, err
		}
		if *c = cut; n > 0 {
			respelled(cut, n)
		}
	}
	return in, nil
}

// readAs has the stage read, answer and learn in the ids of a student. tell says which questions have lost tokens.
func readAs(s *one, student model.Network, tell bool) (err error) {
	tokens := student.Config().Tokens
	if s.Train != nil && slices.Equal(s.reads, tokens) { // to spell every split anew takes time
		return nil
	}
	s.reads = tokens
	s.Input, err = s.whole.over(student, func(c *corpus.Corpus, questions int) {
		if tell {
			s.Events.Note("%s split: %d of %d questions use tokens that are not kept, and are spelled with others", c.Split.Name, questions, c.Split.QuestionCount())
		}
	})
	return err
}

// tokensOf chooses the tokens that stay.
func tokensOf(s *one, n model.Network, a *nn.Axis, cut int) ([]int, error) {
	most := 0
	if !s.cfg.Keep.Vocabulary.Used {
		most = min(a.Units(), s.cfg.UnitsAfter(a, s.starts[a.Name], cut))
	}
	return s.Train.Asked.Tokens(s.Train.Words.Answers, a.Units(), most, n.Config().TokenIDs())
}

// vocabularyOf are the tokens that a plan leaves of a network's vocabulary; nil where it does not cut it.
func vocabularyOf(n model.Network, keep map[string][]int) []int {
	for _, a := range config.AxesOf([]nn.Kind{nn.Vocabulary}, n) {
		return keep[a.Name]
	}
	return nil
}

// numbered maps the tokens' places to the tokens.
func numbered(tokens []int) map[int]int {
	to := make(map[int]int, len(tokens))
	for i, id := range tokens {
		to[i] = id
	}
	return to
}

// Reading is how a student takes its questions: as the teacher does, but for tokens that were cut.
func (in Input) Reading(student model.Network) (corpus.Reading, error) {
	tokens := student.Config().Tokens
	if tokens == nil {
		return in.Teacher.Reading, nil
	}
	return in.Teacher.Reading.Over(tokens, student.Form())
}
