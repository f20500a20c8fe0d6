package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// wordList is a vocabulary by id. In JSON it is an object word → id, written in the order of the ids.
type wordList []string

func (l wordList) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	out.WriteByte('{')
	for id, w := range l {
		if id > 0 {
			out.WriteByte(',')
		}
		if err := enc.Encode(w); err != nil {
			return nil, err
		}
		fmt.Fprintf(&out, ":%d", id)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

func (l *wordList) UnmarshalJSON(data []byte) error {
	var ids map[string]int
	if err := json.Unmarshal(data, &ids); err != nil {
		return err
	}
	words := make([]string, len(ids))
	taken := make([]bool, len(ids))
	for w, id := range ids {
		if id < 0 || id >= len(words) {
			return fmt.Errorf("the word %q has the id %d: %d words want the ids 0 to %d", w, id, len(words), len(words)-1)
		}
		if taken[id] {
			return fmt.Errorf("the words %q and %q share the id %d", min(w, words[id]), max(w, words[id]), id)
		}
		words[id], taken[id] = w, true
	}
	*l = words
	return nil
}
