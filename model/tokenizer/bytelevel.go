package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// byteRunes writes each byte as a visible character, as GPT-2 does; runeBytes reads it back.
var byteRunes, runeBytes = func() (to [256]rune, back map[rune]byte) {
	back = make(map[rune]byte, 256)
	next := rune(256)
	for b := range 256 {
		r := rune(b)
		if !('!' <= r && r <= '~' || '¡' <= r && r <= '¬' || '®' <= r && r <= 'ÿ') {
			r = next
			next++
		}
		to[b], back[r] = r, byte(b)
	}
	return to, back
}()

// byteLevel is the part ByteLevel as a pre_tokenizer. As a decoder it is [byteText]; as a post_processor it
// changes offsets alone.
type byteLevel struct {
	Type   string
	Prefix bool `json:"add_prefix_space"`
	Trim   bool `json:"trim_offsets"`
	Regex  bool `json:"use_regex"`
}

func readByteLevel(p part) (*byteLevel, error) {
	b := &byteLevel{Regex: true}
	return b, p.read(b)
}

func (b *byteLevel) split(s span) []span {
	if b.Prefix && !strings.HasPrefix(s.text, " ") {
		s.prepend(" ")
	}
	words := []span{s}
	if b.Regex {
		words = splitGPT2(s)
	}
	for i := range words {
		visible(&words[i])
	}
	return words
}

// visible writes the bytes of a word as characters.
func visible(s *span) {
	var text strings.Builder
	text.Grow(2 * len(s.text))
	from := make([]int, 0, 2*len(s.text))
	for i := range len(s.text) {
		n, _ := text.WriteRune(byteRunes[s.text[i]])
		for range n {
			from = append(from, s.from[i])
		}
	}
	s.text, s.from = text.String(), from
}

// splitGPT2 matches GPT-2's expression
//
//	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//
// by hand: Go's regexp has no look-ahead, and its classes are those of an older Unicode than Oniguruma's.
func splitGPT2(s span) []span {
	var words []span
	for begin := 0; begin < len(s.text); {
		end := begin + matchGPT2(s.text[begin:])
		words = append(words, s.cut(begin, end))
		begin = end
	}
	return words
}

// matchGPT2 is the length of the match that the text, which is not empty, begins with.
func matchGPT2(text string) int {
	for _, ending := range [...]string{"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"} {
		if strings.HasPrefix(text, ending) {
			return len(ending)
		}
	}
	begin := 0
	if text[0] == ' ' {
		begin = 1
	}
	r, _ := utf8.DecodeRuneInString(text[begin:])
	switch {
	case begin == len(text) || unicode.IsSpace(r):
		return spacesGPT2(text)
	case isLetter(r):
		return begin + run(text[begin:], isLetter)
	case isNumber(r):
		return begin + run(text[begin:], isNumber)
	}
	return begin + run(text[begin:], func(r rune) bool { return !unicode.IsSpace(r) && !isLetter(r) && !isNumber(r) })
}

// spacesGPT2 takes all the white space that the text begins with, but for the last one before a word.
func spacesGPT2(text string) int {
	end := run(text, unicode.IsSpace)
	if end == len(text) {
		return end
	}
	_, last := utf8.DecodeLastRuneInString(text[:end])
	if last == end {
		return end
	}
	return end - last
}

// run is the length of the text's beginning whose runes are all of the class.
func run(text string, class func(rune) bool) int {
	if i := strings.IndexFunc(text, func(r rune) bool { return !class(r) }); i >= 0 {
		return i
	}
	return len(text)
}
