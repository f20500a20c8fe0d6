package tokenizer

import (
	"encoding/json"
	"fmt"
)

// A normalizer changes a span before it is split into words.
type normalizer func(*span) error

// readNormalizer gives nil where the file has none.
func readNormalizer(data json.RawMessage, nesting int) (normalizer, error) {
	if isNull(data) {
		return nil, nil
	}
	p, err := readPart("normalizer", data)
	if err != nil {
		return nil, err
	}
	switch p.Type {
	case "Sequence":
		return readNormalizers(p, nesting)
	case "Replace":
		r, err := readReplacement(p)
		if err != nil {
			return nil, err
		}
		return r.normalize, nil
	case "Prepend":
		var f struct{ Type, Prepend string }
		err := p.read(&f)
		return func(s *span) error { s.prepend(f.Prepend); return nil }, err
	case "Strip":
		var f struct {
			Type  string
			Left  bool `json:"strip_left"`
			Right bool `json:"strip_right"`
		}
		err := p.read(&f)
		return func(s *span) error { trimmed(s, f.Left, f.Right); return nil }, err
	case "Precompiled":
		return readCharsMap(p)
	case "BertNormalizer":
		return readBertNormalizer(p)
	}
	plain, known := plainNormalizers[p.Type]
	if !known {
		return nil, p.unknown()
	}
	return func(s *span) error { plain(s); return nil }, p.read(&struct{ Type string }{})
}

// plainNormalizers have no options.
var plainNormalizers = map[string]func(*span){
	"NFC":       func(s *span) { normalForm(s, false, true) },
	"NFD":       func(s *span) { normalForm(s, false, false) },
	"NFKC":      func(s *span) { normalForm(s, true, true) },
	"NFKD":      func(s *span) { normalForm(s, true, false) },
	"Lowercase": func(s *span) { s.mapRunes(lower) },
	"Nmt":       nmt,
}

func readNormalizers(p part, nesting int) (normalizer, error) {
	parts, err := p.sequence("normalizers", nesting)
	if err != nil {
		return nil, err
	}
	var all []normalizer
	for i, data := range parts {
		n, err := readNormalizer(data, nesting+1)
		if err != nil {
			return nil, err
		}
		if n == nil {
			return nil, fmt.Errorf("normalizer %d of the Sequence is null; remove it", i)
		}
		all = append(all, n)
	}
	return func(s *span) error {
		for _, n := range all {
			if err := n(s); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// nmt is what SentencePiece cleans for machine translation: controls fall away, rare spaces become plain.
func nmt(s *span) {
	s.filter(func(r rune) bool {
		switch {
		case 0x1 <= r && r <= 0x8, r == 0xB, 0xE <= r && r <= 0x1F, r == 0x7F, r == 0x8F, r == 0x9F:
			return false
		}
		return true
	})
	s.mapRunes(func(r rune) []rune {
		switch {
		case r == '\t', r == '\n', r == '\f', r == '\r', r == 0x1680, 0x200B <= r && r <= 0x200F,
			r == 0x2028, r == 0x2029, r == 0x2581, r == 0xFEFF, r == 0xFFFD:
			return []rune{' '}
		}
		return []rune{r}
	})
}

// readBertNormalizer reads BERT's own normalizer: it cleans, sets Chinese characters apart, removes accents
// and lowercases, each by its switch. Accents go where the text is lowercased unless the file says otherwise.
func readBertNormalizer(p part) (normalizer, error) {
	var f struct {
		Type      string
		Clean     bool  `json:"clean_text"`
		Chinese   bool  `json:"handle_chinese_chars"`
		Accents   *bool `json:"strip_accents"`
		Lowercase bool  `json:"lowercase"`
	}
	if err := p.read(&f); err != nil {
		return nil, err
	}
	accents := f.Lowercase
	if f.Accents != nil {
		accents = *f.Accents
	}
	return func(s *span) error {
		if f.Clean {
			s.filter(func(r rune) bool { return !isControl(r) })
			s.mapRunes(plainSpace)
		}
		if f.Chinese {
			setApart(s)
		}
		if accents {
			normalForm(s, false, false)
			s.filter(func(r rune) bool { return !isNonspacingMark(r) })
		}
		if f.Lowercase {
			s.mapRunes(lower)
		}
		return nil
	}, nil
}
