package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A splitter cuts a span into the words that the model takes one by one.
type splitter func(span) []span

// readSplitter gives nil where the file has no pre_tokenizer: then the model takes the whole span.
func readSplitter(data json.RawMessage, nesting int) (splitter, error) {
	if isNull(data) {
		return nil, nil
	}
	p, err := readPart("pre_tokenizer", data)
	if err != nil {
		return nil, err
	}
	switch p.Type {
	case "Sequence":
		return readSplitters(p, nesting)
	case "WhitespaceSplit":
		return splitSpaces, p.read(&struct{ Type string }{})
	case "BertPreTokenizer":
		return func(s span) []span { return each(splitSpaces(s), splitPunctuation) }, p.read(&struct{ Type string }{})
	case "Metaspace":
		m, err := readMetaspace(p)
		if err != nil {
			return nil, err
		}
		return m.split, nil
	case "ByteLevel":
		b, err := readByteLevel(p)
		return b.split, err
	}
	return nil, p.unknown()
}

func readSplitters(p part, nesting int) (splitter, error) {
	parts, err := p.sequence("pretokenizers", nesting)
	if err != nil {
		return nil, err
	}
	var all []splitter
	for i, data := range parts {
		one, err := readSplitter(data, nesting+1)
		if err != nil {
			return nil, err
		}
		if one == nil {
			return nil, fmt.Errorf("pre_tokenizer %d of the Sequence is null; remove it", i)
		}
		all = append(all, one)
	}
	return func(s span) []span {
		words := []span{s}
		for _, one := range all {
			words = each(words, one)
		}
		return words
	}, nil
}

// each splits every span further.
func each(spans []span, split splitter) []span {
	var out []span
	for _, s := range spans {
		out = append(out, split(s)...)
	}
	return out
}

// splitSpaces splits at white space, which falls away.
func splitSpaces(s span) []span {
	var words []span
	begin := -1
	for i, r := range s.text {
		switch space := unicode.IsSpace(r); {
		case !space && begin < 0:
			begin = i
		case space && begin >= 0:
			words = append(words, s.cut(begin, i))
			begin = -1
		}
	}
	if begin >= 0 {
		words = append(words, s.cut(begin, len(s.text)))
	}
	return words
}

// splitPunctuation makes every punctuation character a word of its own.
func splitPunctuation(s span) []span {
	var words []span
	begin := 0
	for i, r := range s.text {
		if !isPunctuation(r) {
			continue
		}
		if begin < i {
			words = append(words, s.cut(begin, i))
		}
		begin = i + utf8.RuneLen(r)
		words = append(words, s.cut(i, begin))
	}
	if begin < len(s.text) {
		words = append(words, s.cut(begin, len(s.text)))
	}
	return words
}

// metaspace writes spaces as a visible character, as SentencePiece does, puts one before the text, and splits
// before each. It is a pre_tokenizer as well as a decoder.
type metaspace struct {
	mark          string
	always, first bool // where a mark is put that the text does not have
	cut           bool
}

func readMetaspace(p part) (*metaspace, error) {
	f := struct {
		Type        string
		Replacement string
		Scheme      string `json:"prepend_scheme"`
		Prefix      *bool  `json:"add_prefix_space"` // older files
		Split       *bool
		Text        string `json:"str_rep"` // older files: the replacement again
	}{Scheme: "always"}
	if err := p.read(&f); err != nil {
		return nil, err
	}
	if f.Prefix != nil && !*f.Prefix && f.Scheme != "never" {
		return nil, fmt.Errorf("%s Metaspace: add_prefix_space is false, but prepend_scheme %q; `tokenizers` refuses that too, set \"never\"", p.kind, f.Scheme)
	}
	switch f.Scheme {
	case "always", "first", "never":
	default:
		return nil, fmt.Errorf("%s Metaspace: prepend_scheme %q is not computed here", p.kind, f.Scheme)
	}
	if _, err := runeOf(p, "replacement", f.Replacement); err != nil {
		return nil, err
	}
	return &metaspace{f.Replacement, f.Scheme == "always", f.Scheme == "first", f.Split == nil || *f.Split}, nil
}

func (m *metaspace) split(s span) []span {
	var spaces [][]int
	for i := range len(s.text) {
		if s.text[i] == ' ' {
			spaces = append(spaces, []int{i, i + 1})
		}
	}
	s.replace(spaces, m.mark)
	if (m.always || m.first && s.start == 0) && !strings.HasPrefix(s.text, m.mark) {
		s.prepend(m.mark)
	}
	if !m.cut {
		return []span{s}
	}
	var words []span
	for begin := 0; begin < len(s.text); {
		end := len(s.text)
		_, size := utf8.DecodeRuneInString(s.text[begin:])
		if next := strings.Index(s.text[begin+size:], m.mark); next >= 0 {
			end = begin + size + next
		}
		words = append(words, s.cut(begin, end))
		begin = end
	}
	return words
}
