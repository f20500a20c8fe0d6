package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// wordPiece takes the longest token that a word begins with, again and again; a word that cannot be covered is
// unknown as a whole (Wu et al. 2016, arXiv:1609.08144).
type wordPiece struct {
	vocabulary
	f    wordPieceFile
	head *trie // tokens that begin a word
	rest *trie // tokens that continue one, without the prefix
}

type wordPieceFile struct {
	Type   string
	Unk    string `json:"unk_token"`
	Prefix string `json:"continuing_subword_prefix"`
	Longer int    `json:"max_input_chars_per_word"`
	Vocab  vocabulary
}

func readWordPiece(p part) (model, error) {
	m := &wordPiece{f: wordPieceFile{Unk: "[UNK]", Prefix: "##", Longer: 100}, head: newTrie(), rest: newTrie()}
	if err := p.read(&m.f); err != nil {
		return nil, err
	}
	m.vocabulary = m.f.Vocab
	for token, id := range m.ids {
		m.head.put(token, id)
		if after, ok := strings.CutPrefix(token, m.f.Prefix); ok {
			m.rest.put(after, id)
		}
	}
	return m, nil
}

func (m *wordPiece) encode(word string) ([]int, error) {
	unknown := func() ([]int, error) {
		id, err := m.unknown(word, m.f.Unk)
		return []int{id}, err
	}
	if utf8.RuneCountInString(word) > m.f.Longer {
		return unknown()
	}
	var ids []int
	for begin := 0; begin < len(word); {
		tokens := m.rest
		if begin == 0 {
			tokens = m.head
		}
		length, id := tokens.longest(word[begin:])
		if length == 0 {
			return unknown()
		}
		ids = append(ids, id)
		begin += length
	}
	return ids, nil
}
