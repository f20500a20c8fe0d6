package data

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Split is one part of a data set. Goroutines may share it.
type Split struct {
	Name      string
	questions [][]Question // by picture
	album     *album
	parts     Parts
	hash      string
}

func newSplit(name string, questions [][]Question, size int, source pictures) *Split {
	return &Split{Name: name, questions: questions, album: &album{source: source, size: size}, parts: whole(questions)}
}

// Hash is a SHA-256, in hexadecimal, of everything that determines the pictures at their size, the questions and their order,
// before the split was divided.
func (s *Split) Hash() string { return s.hash }

// Len is the number of pictures.
func (s *Split) Len() int { return len(s.questions) }

// Questions are those of picture i. They belong to the split: do not change them.
func (s *Split) Questions(i int) []Question { return s.questions[i] }

// QuestionCount is the number of questions of all pictures.
func (s *Split) QuestionCount() int { return s.Count(func(Question) bool { return true }) }

// Count is the number of such questions.
func (s *Split) Count(such func(Question) bool) (n int) {
	for _, questions := range s.questions {
		for _, q := range questions {
			if such(q) {
				n++
			}
		}
	}
	return n
}

// Place is where question q of picture i was written: a file and its line, or the number of a drawn picture.
func (s *Split) Place(i, q int) string {
	p := s.parts[i]
	return s.album.source.place(p.Picture, p.From+q)
}

// Pixels writes picture i, planar RGB [3, Size, Size], into dst, which has exactly that length. A picture that is not what it was
// when the data set was opened is an error: results would be kept under the hash of another data set.
func (s *Split) Pixels(i int, dst []uint8) error {
	if i < 0 || i >= s.Len() {
		return fmt.Errorf("data: there is no picture %d in split %q, which has %d; take one from 0 on", i, s.Name, s.Len())
	}
	if n := s.album.bytes(); len(dst) != n {
		return fmt.Errorf("data: room for %d bytes, but a picture of split %q takes %d; give it exactly that", len(dst), s.Name, n)
	}
	err := s.album.read(s.parts[i].Picture, dst)
	switch {
	case errors.Is(err, errChanged):
		return fmt.Errorf("data: %s: %w", s.Place(i, 0), err)
	case err != nil:
		return &Unreadable{s.Place(i, 0), err}
	}
	return nil
}

// prepare gets the pictures ready. Those that are broken are faults, or are left out with their questions.
func (s *Split) prepare(inMemory bool, bad *faults) {
	broken := make([]bool, s.Len())
	bad.split = s.Name
	for i, err := range s.album.open(s.Len(), inMemory) {
		if err == nil {
			continue
		}
		broken[i] = true
		rows := 1 // a fault is told once
		if bad.skip {
			rows = len(s.questions[i])
		}
		for q := range rows {
			bad.Row(s.Place(i, q), "%v", err)
		}
	}
	if bad.skip && slices.Contains(broken, true) {
		s.album.leaveOut(broken)
		at := -1
		s.questions = slices.DeleteFunc(slices.Clone(s.questions), func([]Question) bool { at++; return broken[at] })
		s.parts = whole(s.questions)
	}
}

// First is a split of the first n pictures. Pixels are shared with s, which has not been divided.
func (s *Split) First(n int) *Split {
	if n >= s.Len() {
		return s
	}
	first := *s
	first.questions, first.parts = s.questions[:n], s.parts[:n]
	first.hash = fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%s, the first %d", s.hash, n)))
	return &first
}

// hashSplit is the hash of what determines a prepared split. Every text goes in with its length, so that different
// splits never give the same bytes.
func hashSplit(s *Split, size int) string {
	h := sha256.New()
	fmt.Fprintf(h, "size %d;", size)
	text := func(t string) {
		fmt.Fprintf(h, "%d:", len(t))
		io.WriteString(h, t)
	}
	text(s.Name)
	fmt.Fprintf(h, "%d;", s.Len())
	for i, questions := range s.questions {
		text(s.album.made[i])
		fmt.Fprintf(h, "%d;", len(questions))
		for _, q := range questions {
			text(q.Text)
			text(q.Task)
			text(q.Category)
			fmt.Fprintf(h, "%d;", len(q.Answers))
			for _, a := range q.Answers {
				text(a)
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
