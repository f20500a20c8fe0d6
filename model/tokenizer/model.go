package tokenizer

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// A model turns one word into ids.
type model interface {
	encode(word string) ([]int, error)
	id(token string) (int, bool)
	token(id int) (string, bool)
	size() int // of tokens, which is not the greatest id + 1 where ids have gaps
	top() int  // the greatest id, -1 where there is none
}

func readModel(data json.RawMessage) (model, error) {
	if isNull(data) {
		return nil, fmt.Errorf("there is no model; save the tokenizer again")
	}
	p, err := readPart("model", data)
	if err != nil {
		return nil, err
	}
	switch p.Type {
	case "BPE":
		return readBPE(p)
	case "Unigram":
		return readUnigram(p)
	case "WordPiece":
		return readWordPiece(p)
	}
	return nil, p.unknown()
}

// vocabulary is a list of tokens in both directions. In JSON it is an object token → id; ids may have gaps.
type vocabulary struct {
	ids    map[string]int
	tokens map[int]string
	last   int
}

func (v *vocabulary) UnmarshalJSON(data []byte) error {
	var ids map[string]uint32
	if err := json.Unmarshal(data, &ids); err != nil {
		return err
	}
	*v = vocabulary{make(map[string]int, len(ids)), make(map[int]string, len(ids)), -1}
	for token, id := range ids {
		if id >= 1<<31-1 {
			return fmt.Errorf("the token %q has the id %d; number the tokens from 0", token, id)
		}
		if other, taken := v.tokens[int(id)]; taken {
			return fmt.Errorf("the tokens %q and %q share the id %d", min(token, other), max(token, other), id)
		}
		v.ids[token], v.tokens[int(id)] = int(id), token
		v.last = max(v.last, int(id))
	}
	return nil
}

func (v *vocabulary) id(token string) (int, bool) {
	id, ok := v.ids[token]
	return id, ok
}

func (v *vocabulary) token(id int) (string, bool) {
	token, ok := v.tokens[id]
	return token, ok
}

func (v *vocabulary) size() int { return len(v.ids) }

func (v *vocabulary) top() int { return v.last }

// unknown is the id of the unk_token, which only a text that needs it asks for.
func (v *vocabulary) unknown(word, unk string) (int, error) {
	id, ok := v.ids[unk]
	if !ok {
		return 0, fmt.Errorf("tokenizer: %q is not in the vocabulary, nor is the unk_token %q; change the text or add the token", word, unk)
	}
	return id, nil
}

// byteIDs gives the ids of the tokens <0x00> to <0xFF> that stand for the text's bytes, nil where one is missing.
func byteIDs(v map[string]int, text string) []int {
	ids := make([]int, 0, utf8.UTFMax)
	for i := range len(text) {
		id, ok := v[fmt.Sprintf("<0x%02X>", text[i])]
		if !ok {
			return nil
		}
		ids = append(ids, id)
	}
	return ids
}
