package tokenizer

import (
	"slices"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// normalForm brings the span into NFC, NFD, NFKC or NFKD. The data are x/text's; the order and the
// composition are ours, for x/text breaks rows of more than 30 marks with a character of its own (the
// Stream-Safe form) and `tokenizers` does not, and for `tokenizers` leaves characters younger than Unicode 9
// alone. Both show in text from the web.
func normalForm(s *span, compatible, compose bool) {
	form := norm.NFD
	if compatible {
		form = norm.NFKD
	}
	if ascii(s.text) {
		return
	}
	edits := make([]edit, 0, len(s.text))
	for _, r := range s.text {
		if r < utf8.RuneSelf || in(inert, r) {
			edits = append(edits, edit{r, 0})
			continue
		}
		for i, d := range []rune(form.String(string(r))) {
			edits = append(edits, edit{d, min(i, 1)})
		}
	}
	order(edits)
	if compose {
		edits = composed(edits)
	}
	s.rewrite(edits, 0)
}

func ascii(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// class is the canonical combining class: marks of one class keep their order, 0 starts a new character.
func class(r rune) uint8 {
	if r < 0x300 || in(inert, r) {
		return 0
	}
	return norm.NFD.PropertiesString(string(r)).CCC()
}

// order sorts each row of marks by class.
func order(edits []edit) {
	for i := 0; i < len(edits); {
		j := i
		for j < len(edits) && class(edits[j].r) != 0 {
			j++
		}
		slices.SortStableFunc(edits[i:j], func(a, b edit) int { return int(class(a.r)) - int(class(b.r)) })
		i = j + 1
	}
}

// composed joins each starter with the marks, or the starter, after it that no other mark keeps from it
// (Unicode's canonical composition, UAX 15, D117).
func composed(edits []edit) []edit {
	out := edits[:0]
	starter, last := -1, uint8(0) // in out; the class of what follows it last
	for _, e := range edits {
		c := class(e.r)
		if starter >= 0 && (last < c || last == 0 && len(out) == starter+1) {
			if r, ok := pair(out[starter].r, e.r); ok {
				out[starter] = edit{r, out[starter].change + e.change - 1}
				continue
			}
		}
		if c == 0 {
			starter = len(out)
		}
		last = c
		out = append(out, e)
	}
	return out
}

// pair is the one rune that two compose to.
func pair(a, b rune) (rune, bool) {
	if b < 0x300 || in(inert, a) || in(inert, b) {
		return 0, false
	}
	text := norm.NFC.String(string(a) + string(b))
	r, size := utf8.DecodeRuneInString(text)
	return r, size == len(text)
}
