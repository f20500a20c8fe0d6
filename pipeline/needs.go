package pipeline

import (
	"errors"
	"fmt"
	"slices"

	"espalier/model"
	"espalier/pipeline/data"
	"espalier/pipeline/fault"
)

// listedLines is how many lines of the data a fault names; the others are counted.
const listedLines = 3

// checkNeeds compares what the data need with what the network and the run's keys allow, before anything is computed:
// a question that does not fit, or that can never be answered right, is found here with its line.
func (r *run) checkNeeds(c *model.Config) error {
	answers := r.answerNeeds()
	if err := errors.Join(r.checkAnswered(), r.checkAnswers(answers), r.checkInstructions(c), r.checkPositions(c, mostTokens(answers))); err != nil {
		return &fault.InputError{Err: err}
	}
	r.noteUnlearnable()
	return nil
}

// corpora are the splits that there are.
func (r *run) corpora() []*corpus {
	return slices.DeleteFunc([]*corpus{r.train, r.validation, r.test, r.ood}, func(c *corpus) bool { return c == nil })
}

func (r *run) note(format string, args ...any) { r.events.Emit(Note{fmt.Sprintf(format, args...)}) }

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
func (r *run) checkInstructions(c *model.Config) error {
	var long []tooLong
	for _, s := range r.corpora() {
		for p, qs := range s.questions {
			for j, q := range qs {
				if n := len(q.Instruction); n > c.QFormer.Positions {
					long = append(long, tooLong{s.split.Place(p, j), n, fmt.Sprintf("the question has %d tokens, the Q-Former has %d positions", n, c.QFormer.Positions)})
				}
			}
		}
	}
	return listed(long, "shorten it or leave it out")
}

// checkPositions finds the questions that are too long for the language model's table of positions, with their answers or
// with as many tokens as an answer may have: a network that was just cut seldom ends before. answer is how many a network must
// be able to say.
func (r *run) checkPositions(c *model.Config, answer int) error {
	limit := c.Text.Limit()
	if limit == 0 {
		return nil
	}
	generated := r.cfg.Eval.MaxAnswerTokens
	if answer > generated { // checkAnswers refuses that: this is what it asks for
		generated = answer + 1
	}
	var long []tooLong
	asked := 0 // tokens of the longest question that is answered
	for _, s := range r.corpora() {
		asks, more := s != r.train, 0
		if !asks && s.split.Count(func(q data.Question) bool { return len(q.Answers) == 0 }) > 0 {
			asks, more = true, 1 // the teacher's answer gets an end, and is then learnt
		}
		for p, qs := range s.questions {
			for j, q := range qs {
				if asks {
					asked = max(asked, len(q.Prompt)+more)
				}
				// Nothing follows the end of an answer: it takes up no position.
				said := max(1, len(q.Answer)) - 1
				if need := c.Queries + len(q.Prompt) + said; need > limit {
					long = append(long, tooLong{s.split.Place(p, j), need, fmt.Sprintf("the question needs %d positions (%d for the picture, %d for the question%s, "+
						"%d for its answer), the language model has %d", need, c.Queries, len(q.Prompt), r.framed(), said, limit)})
				}
			}
		}
	}
	if len(long) > 0 {
		return listed(long, r.raise("shorten it or leave it out", mostPositions(long)))
	}
	need := c.Queries + asked + generated - 1
	if need <= limit {
		return nil
	}
	remedy := "shorten the questions"
	if room := limit - c.Queries - asked + 1; room >= max(1, answer) {
		remedy = fmt.Sprintf("set eval.max_answer_tokens = %d", room)
	}
	return fmt.Errorf("data: the picture's %d tokens, the longest question's %d%s and the %d that an answer may have need %d positions, "+
		"the language model has %d; %s", c.Queries, asked, r.framed(), generated, need, limit, r.raise(remedy, need))
}

// framed says that a question's tokens are not the question's alone.
func (r *run) framed() string {
	if r.words.Template == "" {
		return ""
	}
	return " with data.prompt"
}

// raise adds to a remedy what helps where the network is made by this run; the table of a checkpoint is as long as it is.
func (r *run) raise(remedy string, positions int) string {
	if r.cfg.Teacher.Train == nil {
		return remedy
	}
	return fmt.Sprintf("%s, or raise teacher.train.language.positions to %d", remedy, positions)
}
