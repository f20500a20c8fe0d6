// Package needs finds, before a run computes anything, what its data ask of the network and of the configuration, and what a
// reader of the figures should know.
package needs

import (
	"errors"
	"fmt"
	"slices"

	"espalier/model"
	"espalier/pipeline/config"
	"espalier/pipeline/corpus"
	"espalier/pipeline/data"
	"espalier/pipeline/event"
	"espalier/pipeline/fault"
)

// listedLines is how many lines of the data a fault names; the others are counted.
const listedLines = 3

// Input is a run before anything is computed.
type Input struct {
	Config                       *config.Config
	Set                          *data.Dataset
	Network                      *model.Config
	Train, Validation, Test, OOD *corpus.Corpus // OOD may be nil
	Events                       event.Events
}

// corpora are the splits that there are.
func (in Input) corpora() []*corpus.Corpus {
	return slices.DeleteFunc([]*corpus.Corpus{in.Train, in.Validation, in.Test, in.OOD}, func(c *corpus.Corpus) bool { return c == nil })
}

// Check compares what the data need with what the network and the run's keys allow, before anything is computed: a question
// that does not fit, or that can never be answered right, is found here with its line.
func Check(in Input) error {
	if note := corpus.JoinedNote(in.corpora()...); note != "" {
		in.Events.Note("%s", note)
	}
	c := in.Network
	answers := in.answerNeeds()
	if err := errors.Join(in.checkTopK(), in.checkExport(), in.checkMetrics(), in.checkAnswered(), in.checkAnswers(answers), in.checkInstructions(c), in.checkPositions(c, mostTokens(answers))); err != nil {
		return &fault.InputError{Err: err}
	}
	in.noteUnlearnable()
	return nil
}

// checkTopK finds a teacher.top_k that leaves nothing out.
func (in Input) checkTopK() error {
	if k, all := in.Config.Teacher.TopK, in.Network.Text.Vocabulary; k > 0 && k >= all {
		return fmt.Errorf("teacher.top_k = %d, and the vocabulary has %d tokens: set it below, or to 0, which keeps all", k, all)
	}
	return nil
}

// checkExport finds what a network cannot be written as.
func (in Input) checkExport() error {
	if in.Config.Export.TorchScript && !in.Network.Towers() {
		return errors.New("export.torchscript: a decoder alone is not written as TorchScript; leave it out")
	}
	return nil
}

// tooLong is a question that does not fit: where it was written, the positions that it needs, and what is wrong with it.
type tooLong struct {
	place string
	need  int
	text  string
}

// listed is the first of some questions, a line each, and how many more there are; every line ends with the remedy.
func listed(long []tooLong, remedy string) error {
	var faults []error
	for _, q := range long[:min(listedLines, len(long))] {
		faults = append(faults, fmt.Errorf("data: %s: %s; %s", q.place, q.text, remedy))
	}
	if n := len(long) - listedLines; n > 0 {
		faults = append(faults, fmt.Errorf("data: and %d questions more, of which the longest needs %d", n, mostPositions(long)))
	}
	return errors.Join(faults...)
}

func mostPositions(long []tooLong) (most int) {
	for _, q := range long {
		most = max(most, q.need)
	}
	return most
}

// checkInstructions finds the questions that are too long for a Q-Former that reads them.
func (in Input) checkInstructions(c *model.Config) error {
	var long []tooLong
	for _, s := range in.corpora() {
		for p, qs := range s.Asked.Questions {
			for j, q := range qs {
				if n := len(q.Instruction); n > c.QFormer.Positions {
					long = append(long, tooLong{s.Split.Place(p, j), n, fmt.Sprintf("the question has %d tokens, the Q-Former has %d positions", n, c.QFormer.Positions)})
				}
			}
		}
	}
	remedy := "shorten it or leave it out"
	if t := in.Config.Teacher.Train; t != nil {
		remedy = fmt.Sprintf("%s, or raise qformer_config.max_position_embeddings of %s to %d", remedy, t.Config, mostPositions(long))
	}
	return listed(long, remedy)
}

// checkPositions finds the questions that are too long for the language model's table of positions, with their answers or
// with as many tokens as an answer may have: a network that was just cut seldom ends before. answer is how many a network must
// be able to say.
func (in Input) checkPositions(c *model.Config, answer int) error {
	limit := c.Text.Limit()
	if limit == 0 {
		return nil
	}
	generated := in.Config.Eval.MaxAnswerTokens
	if answer > generated { // checkAnswers refuses that: this is what it asks for
		generated = answer + 1
	}
	var long []tooLong
	asked := 0 // tokens of the longest question that is answered
	for _, s := range in.corpora() {
		asks, more := s != in.Train, 0
		if !asks && s.Split.Count(func(q data.Question) bool { return len(q.Answers) == 0 }) > 0 {
			asks, more = true, 1 // the teacher's answer gets an end, and is then learnt
		}
		for p, qs := range s.Asked.Questions {
			for j, q := range qs {
				if asks {
					asked = max(asked, len(q.Prompt)+more)
				}
				// Nothing follows the end of an answer: it takes up no position.
				said := max(1, len(q.Answer)) - 1
				if need := c.Queries + len(q.Prompt) + said; need > limit {
					long = append(long, tooLong{s.Split.Place(p, j), need, fmt.Sprintf("the question needs %d positions (%s%d for the question%s, "+
						"%d for its answer), the language model has %d", need, forPicture(c), len(q.Prompt), in.framed(), said, limit)})
				}
			}
		}
	}
	if len(long) > 0 {
		return listed(long, in.raise("shorten it or leave it out", mostPositions(long)))
	}
	need := c.Queries + asked + generated - 1
	if need <= limit {
		return nil
	}
	remedy := "shorten the questions"
	if room := limit - c.Queries - asked + 1; room >= max(1, answer) {
		remedy = fmt.Sprintf("set eval.max_answer_tokens = %d", room)
	}
	picture := ""
	if c.Towers() {
		picture = fmt.Sprintf("the picture's %d tokens, ", c.Queries)
	}
	return fmt.Errorf("data: %sthe longest question's %d%s and the %d that an answer may have need %d positions, "+
		"the language model has %d; %s", picture, asked, in.framed(), generated, need, limit, in.raise(remedy, need))
}

// forPicture says how many positions a picture takes; nothing where there is none.
func forPicture(c *model.Config) string {
	if !c.Towers() {
		return ""
	}
	return fmt.Sprintf("%d for the picture, ", c.Queries)
}

// framed says that a question's tokens are not the question's alone.
func (in Input) framed() string {
	if in.Train.Words.Template == "" {
		return ""
	}
	return " with data.prompt"
}

// raise adds to a remedy what helps where the network is made by this run; the table of a checkpoint is as long as it is.
func (in Input) raise(remedy string, positions int) string {
	key := "teacher.train.language.positions"
	switch t := in.Config.Teacher.Train; {
	case t == nil:
		return remedy
	case t.Config != "":
		key = "text_config.max_position_embeddings of " + t.Config
	}
	return fmt.Sprintf("%s, or raise %s to %d", remedy, key, positions)
}
