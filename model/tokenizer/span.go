package tokenizer

import (
	"unicode/utf8"
)

// span is a stretch of text on its way to ids. A Metaspace that marks only the first word asks where the
// stretch began in the text that was given, so the place is kept through every change, byte for byte as
// `tokenizers` keeps it.
type span struct {
	text  string
	from  []int // for each byte of text, the place it comes from
	start int   // the place where the stretch began when it was last cut
	id    int   // of the added token that the stretch is, or -1
}

func newSpan(text string) span {
	from := make([]int, 0, len(text))
	for i, r := range text {
		for range utf8.RuneLen(r) {
			from = append(from, i)
		}
	}
	return span{text: text, from: from, id: -1}
}

// cut is the part [a, b) of the span.
func (s *span) cut(a, b int) span {
	c := span{text: s.text[a:b], from: s.from[a:b:b], start: s.start, id: -1}
	if a < b {
		c.start = s.from[a]
	}
	return c
}

// edit is one rune of a changed text. With change 0 it replaces a rune, with -n it replaces one and the n
// after it fall away, with 1 it is put in between.
type edit struct {
	r      rune
	change int
}

// rewrite makes the edits the span's text; the first `skip` runes of the old text fall away.
func (s *span) rewrite(edits []edit, skip int) {
	if len(s.text) == 0 {
		return
	}
	text := make([]byte, 0, len(s.text)+len(edits))
	from := make([]int, 0, len(s.text)+len(edits))
	at := s.after(0, skip)
	for _, e := range edits {
		place := s.start
		if e.change <= 0 {
			place = s.from[min(at, len(s.from)-1)]
			at = s.after(at, 1-e.change)
		} else if at > 0 {
			place = s.from[at-1] // what is put in shares the place of what stands before it
		}
		before := len(text)
		text = utf8.AppendRune(text, e.r)
		for range len(text) - before {
			from = append(from, place)
		}
	}
	s.text, s.from = string(text), from
}

// after is the byte position n runes after the position at.
func (s *span) after(at, n int) int {
	for ; n > 0 && at < len(s.text); n-- {
		_, size := utf8.DecodeRuneInString(s.text[at:])
		at += size
	}
	return at
}

// mapRunes replaces each rune by what f gives for it, one rune or more.
func (s *span) mapRunes(f func(rune) []rune) {
	edits := make([]edit, 0, len(s.text))
	for _, r := range s.text {
		for i, to := range f(r) {
			edits = append(edits, edit{to, min(i, 1)})
		}
	}
	s.rewrite(edits, 0)
}

// filter keeps the runes that keep accepts.
func (s *span) filter(keep func(rune) bool) {
	edits := make([]edit, 0, len(s.text))
	skip := 0
	for _, r := range s.text {
		switch {
		case keep(r):
			edits = append(edits, edit{r, 0})
		case len(edits) == 0:
			skip++
		default:
			edits[len(edits)-1].change--
		}
	}
	s.rewrite(edits, skip)
}

// prepend puts text before a span that is not empty.
func (s *span) prepend(text string) {
	if len(s.text) == 0 {
		return
	}
	from := make([]int, len(text), len(text)+len(s.from))
	for i := range from {
		from[i] = s.from[0]
	}
	s.text, s.from = text+s.text, append(from, s.from...)
}

// replace puts the content in the place of each [a, b) of the matches, which are in order and not empty.
func (s *span) replace(matches [][]int, content string) {
	if len(matches) == 0 {
		return
	}
	text := make([]byte, 0, len(s.text))
	from := make([]int, 0, len(s.from))
	last := 0
	for _, m := range matches {
		text = append(text, s.text[last:m[0]]...)
		from = append(from, s.from[last:m[0]]...)
		text = append(text, content...)
		for range len(content) {
			from = append(from, s.from[m[1]-1])
		}
		last = m[1]
	}
	s.text = string(append(text, s.text[last:]...))
	s.from = append(from, s.from[last:]...)
}
