package needs

import (
	"cmp"
	"errors"
	"fmt"

	"espalier/pipeline/corpus"
	"espalier/pipeline/data"
)

// answerNeed is what the answers of a split that is measured need of eval.max_answer_tokens. Of several accepted answers the
// shortest counts.
type answerNeed struct {
	split     string
	asked     int
	over      int    // questions whose answers are longer than that
	first     string // the place and the answer of the first of them
	full      int    // questions whose answers leave no room for the end
	most      int    // tokens of the longest, the end left out
	unsayable int    // questions of whose answers the tokenizer can spell none
	unsaid    string // the place of the first of them
}

// answerNeeds are those of validation, test and ood: a training answer may have any length.
func (in Input) answerNeeds() (needs []answerNeed) {
	for _, c := range in.corpora() {
		if c == in.Train {
			continue
		}
		n := answerNeed{split: c.Split.Name}
		for p := range c.Split.Len() {
			for j, q := range c.Split.Questions(p) {
				n.add(c, c.Split.Place(p, j), q, in.Config.Eval.MaxAnswerTokens)
			}
		}
		needs = append(needs, n)
	}
	return needs
}

func (n *answerNeed) add(c *corpus.Corpus, place string, q data.Question, allowed int) {
	n.asked++
	tokens, text := 0, ""
	for _, a := range q.Answers {
		if k := answerTokens(c, q.Text, a); k > 0 && (tokens == 0 || k < tokens) {
			tokens, text = k, a
		}
	}
	n.most = max(n.most, tokens)
	switch {
	case tokens == 0:
		n.unsayable++
		n.unsaid = cmp.Or(n.unsaid, place)
	case tokens > allowed:
		n.over++
		n.first = cmp.Or(n.first, fmt.Sprintf("%s %q", place, text))
	case tokens == allowed:
		n.full++
	}
}

// answerTokens is the fewest tokens that say an answer behind its question, the end left out; 0 when no tokens say it.
// Answers are compared after data.Normalize, so the normal form, which has no full stop, counts as well.
func answerTokens(c *corpus.Corpus, question, answer string) (fewest int) {
	for _, form := range []string{answer, data.Normalize(answer)} {
		ids, _, err := c.Words.Answer(question, form)
		if err != nil || !data.Correct(c.Words.Answers.Decode(ids[:len(ids)-1]), []string{answer}) {
			continue // it has something that the vocabulary does not have, or an end of its own
		}
		if n := len(ids) - 1; fewest == 0 || n < fewest {
			fewest = n
		}
	}
	return fewest
}

// noteUnlearnable says which answers students learn in other words than the data's: as the unknown token, for example.
func (in Input) noteUnlearnable() {
	n := answerNeed{}
	for p := range in.Train.Split.Len() {
		for j, q := range in.Train.Split.Questions(p) {
			if len(q.Answers) == 0 {
				continue
			}
			n.asked++
			if c := in.Train; !data.Correct(c.Words.Answers.Decode(c.Asked.Learnt(p, j)), q.Answers[:1]) {
				n.unsayable++
				n.unsaid = cmp.Or(n.unsaid, fmt.Sprintf("%s %.60q", c.Split.Place(p, j), q.Answers[0]))
			}
		}
	}
	if n.unsayable > 0 {
		in.Events.Note("%d of %d training answers cannot be written in the tokenizer's tokens, and students learn what is left of them (first: %s)", n.unsayable, n.asked, n.unsaid)
	}
}

// checkAnswers refuses a bound that cuts answers off before they can be right, and notes one that leaves no room for the end.
func (in Input) checkAnswers(needs []answerNeed) error {
	allowed := in.Config.Eval.MaxAnswerTokens
	var faults []error
	for _, n := range needs {
		switch {
		case n.over > 0:
			faults = append(faults, fmt.Errorf("data: %d of %d %s answers need up to %d tokens (the end included), eval.max_answer_tokens is %d; "+
				"first: %s; set eval.max_answer_tokens = %d", n.over, n.asked, n.split, n.most+1, allowed, n.first, mostTokens(needs)+1))
		case n.full > 0:
			in.Events.Note("%d of %d %s answers take all of eval.max_answer_tokens = %d, so nothing is seen of what a network says after them; "+
				"set eval.max_answer_tokens = %d", n.full, n.asked, n.split, allowed, allowed+1)
		}
		if n.unsayable > 0 && n.split != "ood" { // out of distribution, unknown words are fair
			in.Events.Note("%d of %d %s questions cannot be answered right: the tokenizer has no tokens for the answers (first: %s)", n.unsayable, n.asked, n.split, n.unsaid)
		}
	}
	return errors.Join(faults...)
}

func mostTokens(needs []answerNeed) (most int) {
	for _, n := range needs {
		most = max(most, n.most)
	}
	return most
}

// LongestAnswer is how many tokens the answers of the splits that are measured need, the end left out.
func LongestAnswer(in Input) int { return mostTokens(in.answerNeeds()) }
