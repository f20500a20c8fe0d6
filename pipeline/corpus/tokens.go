package corpus

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"espalier/model"
	"espalier/model/tokenizer"
	"espalier/pipeline/chain"
	"espalier/pipeline/fault"
)

// roundTokens is what a vocabulary of the used tokens is filled up to, for the matrix units, with the first of the others.
const roundTokens = 8

// Tokens chooses which of a vocabulary's tokens stay, in order: always those of the answers, those that the network's config
// names (special), and what the tokenizer needs to make these and to encode any text; then the most frequent, up to so many. 0
// takes all that the split uses.
func (a Asked) Tokens(words tokenizer.Tokenizer, vocabulary, most int, special []int) ([]int, error) {
	uses, answers := map[int]int{}, map[int]bool{}
	for _, questions := range a.Questions {
		for _, q := range questions {
			for _, id := range q.Prompt {
				uses[id]++
			}
			for _, id := range q.Answer {
				uses[id]++
				answers[id] = true
			}
		}
	}
	keep := map[int]bool{}
	for _, id := range tokenizer.Needs(words, append(slices.Collect(maps.Keys(answers)), special...)) {
		keep[id] = true
	}
	if most > 0 && len(keep) > most {
		return nil, fault.Inputf("keep.vocabulary: %d tokens are too few: the answers of the training split, the special tokens and what any text can be spelled "+
			"with are %d; keep as many at least", most, len(keep))
	}
	order := slices.SortedFunc(maps.Keys(uses), func(a, b int) int { return cmp.Or(uses[b]-uses[a], a-b) })
	for _, id := range order {
		var more []int
		for _, need := range tokenizer.Needs(words, []int{id}) {
			if !keep[need] {
				more = append(more, need)
			}
		}
		if most > 0 && len(keep)+len(more) > most {
			continue // a rarer one that is made of fewer may still fit
		}
		for _, need := range more {
			keep[need] = true
		}
	}
	if most == 0 {
		most = min(vocabulary, (len(keep)+roundTokens-1)/roundTokens*roundTokens)
	}
	for id := 0; len(keep) < most && id < vocabulary; id++ {
		keep[id] = true
	}
	return slices.Sorted(maps.Keys(keep)), nil
}

// Over is the corpus as a student reads it whose vocabulary has only these tokens. Texts of kept tokens are the same, numbered anew,
// which is checked; others are spelled with the tokens that are left, and counted. Answers of kept tokens keep theirs, so that the
// teacher's outputs go with them.
func (c *Corpus) Over(tokens []int, form model.Form) (out *Corpus, respelled int, err error) {
	reading, err := c.Reading.Over(tokens, form)
	if err != nil {
		return nil, 0, err
	}
	words := reading.Words
	to := make(map[int]int, len(tokens))
	for i, id := range tokens {
		to[id] = i
	}
	out = &Corpus{Reading: reading, Split: c.Split, Joined: c.Joined, Asked: Asked{Own: c.Asked.Own, Questions: make([][]model.Question, len(c.Asked.Questions))},
		print: chain.Of([]any{c.print, tokens})}
	for i, questions := range c.Asked.Questions {
		for j, q := range questions {
			text := c.Split.Questions(i)[j]
			cut, err := words.Question(text.Text)
			if err != nil {
				return nil, 0, fault.Inputf("keep.vocabulary: %s: question %q cannot be read with the %d tokens that stay: %w; keep more",
					c.Split.Place(i, j), text.Text, len(tokens), err)
			}
			same, stays := renumbered(q.Prompt, to)
			if stays && !slices.Equal(same, cut.Prompt) {
				return nil, 0, fmt.Errorf("keep.vocabulary: %s: question %q has the tokens %v, and the cut tokenizer gives %v", c.Split.Place(i, j), text.Text, same, cut.Prompt)
			}
			cut.Instruction = q.Instruction
			answer, answers := renumbered(q.Answer, to)
			if !answers {
				if answer, _, err = words.Answer(text.Text, text.Answers[0]); err != nil {
					return nil, 0, fault.Inputf("keep.vocabulary: %s: answer %q cannot be written with the %d tokens that stay: %w; keep more",
						c.Split.Place(i, j), text.Answers[0], len(tokens), err)
				}
			}
			if cut.Answer = answer; !stays || !answers {
				respelled++
			}
			out.Asked.Questions[i] = append(out.Asked.Questions[i], cut)
		}
	}
	return out, respelled, nil
}

// Over is how a network reads whose vocabulary has only these tokens.
func (r Reading) Over(tokens []int, form model.Form) (out Reading, err error) {
	out = r
	out.Form, out.Files = form, chain.Of([]any{r.Files, tokens})
	out.Words, err = r.Words.Keep(tokens)
	return out, err
}

// renumbered are ids by their new numbers; stays is false where one has none. nil stays nil.
func renumbered(ids []int, to map[int]int) (out []int, stays bool) {
	for _, id := range ids {
		n, ok := to[id]
		if !ok {
			return nil, false
		}
		out = append(out, n)
	}
	return out, true
}
