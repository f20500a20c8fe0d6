package tokenizer

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// unigram splits a word into the tokens of the greatest summed score (Kudo 2018, arXiv:1804.10959), by the
// Viterbi algorithm.
type unigram struct {
	tokens       []scored
	ids          map[string]int
	trie         *trie
	unk          *int
	unkScore     float64
	byteFallback bool
}

// unkPenalty is how much worse than the worst token an unknown character is.
const unkPenalty = 10

func readUnigram(p part) (model, error) {
	var f struct {
		Type         string
		Unk          *int `json:"unk_id"`
		Vocab        []scored
		ByteFallback bool `json:"byte_fallback"`
	}
	if err := p.read(&f); err != nil {
		return nil, err
	}
	if f.Unk != nil && (*f.Unk < 0 || *f.Unk >= len(f.Vocab)) {
		return nil, fmt.Errorf("model Unigram: unk_id is %d, the vocabulary has %d tokens; save the tokenizer again", *f.Unk, len(f.Vocab))
	}
	m := &unigram{tokens: f.Vocab, ids: make(map[string]int, len(f.Vocab)), trie: newTrie(), unk: f.Unk, byteFallback: f.ByteFallback}
	worst := math.Inf(1)
	for id, t := range f.Vocab {
		m.ids[t.text] = id // of tokens that stand twice, the last counts
		m.trie.put(t.text, id)
		worst = min(worst, t.score)
	}
	m.unkScore = worst - unkPenalty
	return m, nil
}

// best is the best way to reach a byte of the word.
type best struct {
	score float64
	from  int // -1: not reached
	id    int
}

func (m *unigram) encode(word string) ([]int, error) {
	path, err := m.viterbi(word)
	if err != nil {
		return nil, err
	}
	// From the end backwards; unknown characters in a row are one token.
	var pieces []string
	unknown := word[len(word):]
	for end := len(word); end > 0; {
		begin := path[end].from
		if m.unk != nil && path[end].id == *m.unk {
			unknown = word[begin : end+len(unknown)]
		} else {
			if unknown != "" {
				pieces = append(pieces, unknown)
			}
			pieces = append(pieces, word[begin:end])
			unknown = ""
		}
		end = begin
	}
	if unknown != "" {
		pieces = append(pieces, unknown)
	}
	var ids []int
	for i := len(pieces) - 1; i >= 0; i-- {
		if ids, err = m.add(ids, pieces[i]); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

func (m *unigram) viterbi(word string) ([]best, error) {
	path := make([]best, len(word)+1)
	for i := range path {
		path[i].from = -1
	}
	for begin, r := range word {
		reach := func(end int, score float64, id int) {
			score += path[begin].score
			if path[end].from < 0 || score > path[end].score {
				path[end] = best{score, begin, id}
			}
		}
		size := utf8.RuneLen(r)
		single := false // whether a token is this one character
		m.trie.prefixes(word[begin:], func(length, id int) {
			reach(begin+length, m.tokens[id].score, id)
			single = single || length == size
		})
		if !single {
			if m.unk == nil {
				return nil, fmt.Errorf("tokenizer: the character %q of %q is not in the vocabulary, and the model has no unk_id; change the text", r, word)
			}
			reach(begin+size, m.unkScore, *m.unk)
		}
	}
	return path, nil
}

// add appends the id of a piece, or of its bytes, or of the unknown token.
func (m *unigram) add(ids []int, piece string) ([]int, error) {
	if id, ok := m.ids[piece]; ok {
		return append(ids, id), nil
	}
	if m.byteFallback {
		if bytes := byteIDs(m.ids, piece); bytes != nil {
			return append(ids, bytes...), nil
		}
	}
	if m.unk == nil {
		return nil, fmt.Errorf("tokenizer: %q is not in the vocabulary, and the model has no unk_id; change the text", piece)
	}
	return append(ids, *m.unk), nil
}

func (m *unigram) id(token string) (int, bool) {
	id, ok := m.ids[token]
	return id, ok
}

func (m *unigram) token(id int) (string, bool) {
	if id < 0 || id >= len(m.tokens) {
		return "", false
	}
	return m.tokens[id].text, true
}

func (m *unigram) size() int { return len(m.tokens) }

func (m *unigram) top() int { return len(m.tokens) - 1 }

// scored is a token with its score, in JSON ["token", -3.5].
type scored struct {
	text  string
	score float64
}

func (t *scored) UnmarshalJSON(data []byte) error {
	var two []json.RawMessage
	if err := json.Unmarshal(data, &two); err != nil {
		return err
	}
	if len(two) != 2 {
		return fmt.Errorf("the token %s, want [\"token\", score]", data)
	}
	if err := json.Unmarshal(two[0], &t.text); err != nil {
		return err
	}
	var number json.Number
	if err := json.Unmarshal(two[1], &number); err != nil || strings.HasPrefix(string(two[1]), `"`) {
		return fmt.Errorf("the score %s of the token %q is not a number", two[1], t.text)
	}
	var err error
	t.score, err = serdeFloat(number.String())
	return err
}
