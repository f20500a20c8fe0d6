package tokenizer

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"
)

// charsMap is SentencePiece's precompiled normalization: a double-array trie (Darts) from texts to places
// in a blob of replacements, each of which ends with a zero byte.
type charsMap struct {
	units []uint32
	blob  string
}

func readCharsMap(p part) (normalizer, error) {
	var f struct {
		Type string
		Map  string `json:"precompiled_charsmap"`
	}
	if err := p.read(&f); err != nil {
		return nil, err
	}
	data, err := base64.StdEncoding.DecodeString(f.Map)
	if err != nil {
		return nil, fmt.Errorf("normalizer Precompiled: precompiled_charsmap: %w", err)
	}
	if len(data) < 4 {
		return nil, fmt.Errorf("normalizer Precompiled: precompiled_charsmap has %d bytes, want a trie; convert the tokenizer again", len(data))
	}
	size := binary.LittleEndian.Uint32(data)
	data = data[4:]
	if uint64(size) > uint64(len(data)) || size%4 != 0 || size == 0 || !utf8.Valid(data[size:]) {
		return nil, fmt.Errorf("normalizer Precompiled: precompiled_charsmap: a trie of %d bytes in %d, followed by text; convert the tokenizer again", size, len(data))
	}
	m := &charsMap{units: make([]uint32, size/4), blob: string(data[size:])}
	for i := range m.units {
		m.units[i] = binary.LittleEndian.Uint32(data[4*i:])
	}
	return m.normalize, nil
}

// find gives the replacement of the shortest text in the map that the key begins with. `tokenizers` too takes
// the shortest and lets it stand for the whole key.
func (m *charsMap) find(key string) (string, bool) {
	at := offset(m.units[0])
	for i := 0; i < len(key) && key[i] != 0; i++ {
		at ^= uint32(key[i])
		if int(at) >= len(m.units) {
			return "", false
		}
		unit := m.units[at]
		if unit&(1<<31|0xFF) != uint32(key[i]) {
			return "", false
		}
		at ^= offset(unit)
		if unit>>8&1 == 1 { // a text ends here
			if int(at) >= len(m.units) {
				return "", false
			}
			place := int(m.units[at] &^ (1 << 31))
			if place >= len(m.blob) {
				return "", place == len(m.blob)
			}
			to, _, _ := strings.Cut(m.blob[place:], "\x00")
			return to, utf8.ValidString(to)
		}
	}
	return "", false
}

func offset(unit uint32) uint32 { return unit >> 10 << (unit & (1 << 9) >> 6) }

// normalize replaces grapheme by grapheme, and rune by rune where a grapheme is long or not in the map.
func (m *charsMap) normalize(s *span) error {
	var edits []edit
	changed := false
	put := func(old string) bool {
		to, found := m.find(old)
		if found {
			edits = replaced(edits, old, to)
			changed = true
		}
		return found
	}
	for g := graphemes.FromString(s.text); g.Next(); {
		if len(g.Value()) < 6 && put(g.Value()) {
			continue
		}
		for _, r := range g.Value() {
			if !put(string(r)) {
				edits = append(edits, edit{r, 0})
			}
		}
	}
	if changed {
		s.rewrite(edits, 0)
	}
	return nil
}

// replaced adds the edits that make `to` of `old`.
func replaced(edits []edit, old, to string) []edit {
	more := utf8.RuneCountInString(to) - utf8.RuneCountInString(old)
	for _, r := range to {
		edits = append(edits, edit{r, 0})
	}
	for i := range max(more, 0) {
		edits[len(edits)-1-i].change = 1
	}
	if more < 0 && len(edits) > 0 {
		edits[len(edits)-1].change += more
	}
	return edits
}
