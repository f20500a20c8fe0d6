package data

import (
	"errors"
	"fmt"
	"strings"

	"espalier/model/tokenizer"
)

// buildVocabulary takes the words of the training and validation questions and answers; others become <unk>.
func buildVocabulary(d *Dataset) (*tokenizer.WordLevel, error) {
	return tokenizer.BuildWordLevel(func(yield func(string) bool) {
		for _, s := range []*Split{d.Train, d.Validation} {
			for _, questions := range s.questions {
				for _, q := range questions {
					if !yield(q.Text) {
						return
					}
					for _, a := range q.Answers {
						if !yield(a) {
							return
						}
					}
				}
			}
		}
	})
}

// CheckVocabulary finds out whether a loaded teacher's tokenizer fits the data set: it must hold every word of
// the answers that are learnt (the first of each training question), and all words of at least one accepted
// answer of each validation and test question, else that question could never be answered right. Where it has
// no <unk>, it must hold the words of the questions too. Out of distribution, unknown answers are fair. A vocabulary
// that does not fit mostly misses a word in thousands of places: the error names the first, and counts the rest.
func CheckVocabulary(tok tokenizer.Tokenizer, d *Dataset) error {
	var first string
	places, words := 0, map[string]bool{}
	lack := func(s *Split, i, k int, word, what, text string) {
		if places++; places == 1 {
			first = fmt.Sprintf("data: %s: the teacher's vocabulary does not have the word %q of the %s %q", s.Place(i, k), word, what, text)
		}
		words[word] = true
	}
	for _, s := range d.Splits() {
		for i, questions := range s.questions {
			for k, q := range questions {
				if word := missingIn(tok, q.Text, true); word != "" {
					lack(s, i, k, word, "question", q.Text)
				}
				if word := missingAnswer(tok, s, d, q); word != "" {
					lack(s, i, k, word, "answer", q.Answers[0])
				}
			}
		}
	}
	switch {
	case places == 0:
		return nil
	case places > 1:
		first += fmt.Sprintf(" (in all %d words at %d places)", len(words), places)
	}
	return errors.New(first + "; use its words, or a teacher trained on this data")
}

// missingAnswer is a word that keeps the question from being learnt or answered, or "".
func missingAnswer(tok tokenizer.Tokenizer, s *Split, d *Dataset, q Question) string {
	if len(q.Answers) == 0 || s == d.OOD {
		return ""
	}
	first := missingIn(tok, q.Answers[0], false)
	if first == "" || s == d.Train {
		return first
	}
	for _, a := range q.Answers[1:] {
		if missingIn(tok, a, false) == "" {
			return ""
		}
	}
	return first
}

// missingIn is the first word of the text that the tokenizer cannot encode, or "". unkWill: it may become <unk>.
func missingIn(tok tokenizer.Tokenizer, text string, unkWill bool) string {
	if words, ok := tok.(*tokenizer.WordLevel); ok {
		if unkWill && words.Unk() >= 0 {
			return ""
		}
		for w := range strings.FieldsSeq(text) {
			if !words.Has(w) {
				return w
			}
		}
		return ""
	}
	_, err := tok.Encode(text) // other tokenizers know best what they can write
	var unknown *tokenizer.UnknownWordError
	switch {
	case errors.As(err, &unknown):
		return unknown.Word
	case err != nil:
		return fmt.Sprintf("%s (%v)", text, err)
	}
	return ""
}
