package tokenizer

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"
)

// The special words. The first two have fixed ids; the third is optional.
const (
	PadWord = "<pad>" // id 0
	EOSWord = "<eos>" // id 1
	UnkWord = "<unk>" // id 2, where a vocabulary has it

	padID, eosID, unkID = 0, 1, 2
)

// ImageWord is what transformers' processors add to a tokenizer for the picture's places in a prompt.
const ImageWord = "<image>"

// WordLevel is a closed list of words; text is split on white space. It does not change after it is made,
// so goroutines may share it.
type WordLevel struct {
	words []string
	ids   map[string]int
	unk   int // -1: none
}

var _ Tokenizer = (*WordLevel)(nil)

// NewWordLevel makes a tokenizer whose id i is words[i]. The list starts with <pad> and <eos>; <unk>, if it
// is there at all, comes third. A word that occurs twice, is empty or holds white space is an error.
func NewWordLevel(words []string) (*WordLevel, error) {
	if len(words) < 2 || words[padID] != PadWord || words[eosID] != EOSWord {
		return nil, fmt.Errorf("tokenizer: a word list starts with %s and %s, this one with %q; put them first", PadWord, EOSWord, words[:min(2, len(words))])
	}
	t := &WordLevel{words: slices.Clone(words), ids: make(map[string]int, len(words)), unk: -1}
	for id, w := range t.words {
		if !utf8.ValidString(w) {
			return nil, fmt.Errorf("tokenizer: word %d, %q, is not UTF-8; repair its encoding", id, w)
		}
		if f := strings.Fields(w); len(f) != 1 || f[0] != w {
			return nil, fmt.Errorf("tokenizer: word %d, %q, is empty or holds white space, so no text could ever give it; remove it", id, w)
		}
		if first, twice := t.ids[w]; twice {
			return nil, fmt.Errorf("tokenizer: the word %q is listed twice, as %d and %d; remove one", w, first, id)
		}
		t.ids[w] = id
	}
	if id, ok := t.ids[UnkWord]; ok {
		if id != unkID {
			return nil, fmt.Errorf("tokenizer: %s has the id %d; put it third, right after %s and %s", UnkWord, id, PadWord, EOSWord)
		}
		t.unk = id
	}
	return t, nil
}

// BuildWordLevel makes a tokenizer of the words of the texts, in order of first appearance, after
// <pad>, <eos> and <unk>. A text that holds one of these three words is an error: its meaning would change.
func BuildWordLevel(texts iter.Seq[string]) (*WordLevel, error) {
	words := []string{PadWord, EOSWord, UnkWord}
	seen := map[string]bool{}
	for text := range texts {
		for w := range strings.FieldsSeq(text) {
			if seen[w] {
				continue
			}
			if w == PadWord || w == EOSWord || w == UnkWord {
				return nil, fmt.Errorf("tokenizer: the text %q holds the word %s, which has a special meaning; change the text", text, w)
			}
			seen[w] = true
			words = append(words, w)
		}
	}
	return NewWordLevel(words)
}

// Encode gives one id a word. A word outside the vocabulary becomes <unk>, or is an [*UnknownWordError]
// where the vocabulary has no <unk>.
func (t *WordLevel) Encode(text string) ([]int, error) {
	var ids []int
	for w := range strings.FieldsSeq(text) {
		id, ok := t.ids[w]
		if !ok {
			if t.unk < 0 {
				return nil, &UnknownWordError{Word: w, Size: len(t.words)}
			}
			id = t.unk
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// EncodePrompt is Encode: a word-level tokenizer puts no special tokens around a text.
func (t *WordLevel) EncodePrompt(text string) ([]int, error) { return t.Encode(text) }

// Decode joins the words of the ids with single spaces and stops at the first <eos> or <pad>. An id outside
// [0, Size) reads as <unk>: generation over a padded head must not crash a run.
func (t *WordLevel) Decode(ids []int) string {
	var words []string
	for _, id := range ids {
		if id == eosID || id == padID {
			break
		}
		if id < 0 || id >= len(t.words) {
			words = append(words, UnkWord)
			continue
		}
		words = append(words, t.words[id])
	}
	return strings.Join(words, " ")
}

// Size is the number of words, the special ones included.
func (t *WordLevel) Size() int { return len(t.words) }

// Pad is 0.
func (t *WordLevel) Pad() int { return padID }

// EOS is 1.
func (t *WordLevel) EOS() int { return eosID }

// Unk is the id of <unk>, or -1 where the vocabulary has none.
func (t *WordLevel) Unk() int { return t.unk }

// Words lists the words by id. The caller may change the copy.
func (t *WordLevel) Words() []string { return slices.Clone(t.words) }

// Has says whether the vocabulary holds the word.
func (t *WordLevel) Has(word string) bool {
	_, ok := t.ids[word]
	return ok
}
