package tokenizer

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Needs are the ids, in order, without which the tokenizer could not give these tokens or could not encode some text: the
// special and added tokens, what stands for the parts that no other token covers (bytes, single characters, the unknown
// token), and what byte-pair encoding makes each token of.
func Needs(t Tokenizer, tokens []int) []int {
	need := map[int]bool{}
	switch t := t.(type) {
	case *WordLevel:
		for id := range max(eosID, t.unk) + 1 {
			need[id] = true
		}
	case *Subword:
		for id := range t.added.tokens {
			need[id] = true
		}
		around, err := t.EncodePrompt("")
		if err != nil {
			around = nil // an empty text has nothing to encode
		}
		for _, id := range append(around, t.eos, t.pad) {
			need[id] = true
		}
		switch m := t.model.(type) {
		case *bpe:
			m.needs(tokens, need)
		case *unigram:
			m.needs(need)
		case *wordPiece:
			m.spelling(m.f.Unk, m.f.Prefix, false, need)
		}
	}
	for _, id := range tokens {
		need[id] = true
	}
	delete(need, none)
	return slices.Sorted(maps.Keys(need))
}

// spelling adds the tokens with which any text can be spelled: its bytes where the model falls back to them, else single
// characters, with and without the prefix of those that continue a word.
func (v *vocabulary) spelling(unk, prefix string, bytes bool, need map[int]bool) {
	for token, id := range v.ids {
		if token == unk || spells(strings.TrimPrefix(token, prefix), bytes) || spells(token, bytes) {
			need[id] = true
		}
	}
}

func spells(token string, bytes bool) bool {
	if !bytes {
		return utf8.RuneCountInString(token) == 1
	}
	var b byte
	n, _ := fmt.Sscanf(token, "<0x%02X>", &b)
	return n == 1
}

// needs adds, for each token, those that come and go while it is made: only with them do the same merges happen.
func (m *bpe) needs(tokens []int, need map[int]bool) {
	m.spelling(text(m.f.Unk), text(m.f.Prefix), m.f.ByteFallback, need)
	for _, id := range tokens {
		word, ok := m.token(id)
		if !ok {
			continue
		}
		parts, err := m.characters(word)
		if err != nil {
			continue
		}
		made := map[int]bool{}
		for _, part := range parts {
			made[part] = true
		}
		if whole := m.merge(parts, func(id int) { made[id] = true }); len(whole) == 1 && whole[0] == id { // else no text gives it by merges
			maps.Copy(need, made)
		}
	}
}

// needs adds the worst token, of which the score of an unknown character is reckoned.
func (m *unigram) needs(need map[int]bool) {
	worst := 0
	for id, t := range m.tokens {
		if t.score < m.tokens[worst].score {
			worst = id
		}
		if spells(t.text, m.byteFallback) || m.unk != nil && id == *m.unk {
			need[id] = true
		}
	}
	need[worst] = true
}
