package model

import (
	"fmt"
	"math"

	"espalier/torch"
)

// Segments are the questions of a picture, counted from 0; these are no questions.
const (
	prefixSegment = -1 // seen by all
	padSegment    = -2 // seen by none but its like, and never scored
	hiddenSegment = -3 // a query that a gate hides
)

var minusInfinity = math.Inf(-1)

// Question is a prompt and the answer that is scored after it, as token ids; the answer ends with end-of-sequence.
type Question struct{ Prompt, Answer []int }

// Batch is pictures with their questions, packed: the questions of a picture stand one behind the other and share its
// visual prefix. It is made of tensors of the current scope.
type Batch struct {
	Pictures  *torch.Tensor // normalised, [batch, 3, size, size]
	IDs       *torch.Tensor // int64 [batch, tokens]
	Segments  *torch.Tensor // int64 [batch or 1, tokens]: which question a token belongs to
	Positions *torch.Tensor // int64 [batch or 1, tokens]: place after the prefix
	Rows      *torch.Tensor // int64 [n]: the scored positions among the batch's tokens
	Targets   *torch.Tensor // int64 [n]: the right next token at each

	Scored         []int // how many positions of each picture are scored
	LongestSegment int
}

// Pack lays out questions and moves them to a device. Every prompt needs a token: the first word of an answer is
// predicted from the prompt's last one.
func Pack(pictures *torch.Tensor, questions [][]Question, on torch.Device) (*Batch, error) {
	b := &Batch{Pictures: pictures}
	width := 0
	for i, qs := range questions {
		n := 0
		for j, q := range qs {
			if len(q.Prompt) == 0 {
				return nil, fmt.Errorf("model: question %d of picture %d has no words", j, i)
			}
			n += len(q.Prompt) + max(0, len(q.Answer)-1)
		}
		width = max(width, n)
	}
	layout := newLayout(len(questions), width)
	var rows, targets []int
	for i, qs := range questions {
		at, before := i*width, len(rows)
		for j, q := range qs {
			text := q.Prompt
			if len(q.Answer) > 1 {
				text = append(append([]int{}, q.Prompt...), q.Answer[:len(q.Answer)-1]...)
			}
			layout.place(at, j, text)
			for k, target := range q.Answer {
				rows = append(rows, at+len(q.Prompt)-1+k)
				targets = append(targets, target)
			}
			b.LongestSegment = max(b.LongestSegment, len(text))
			at += len(text)
		}
		b.Scored = append(b.Scored, len(rows)-before)
	}
	b.IDs, b.Segments, b.Positions = layout.tensors(on)
	b.Rows, b.Targets = torch.FromInts(rows, on, len(rows)), torch.FromInts(targets, on, len(targets))
	return b, nil
}

// layout is the packed text of a batch before it becomes tensors.
type layout struct {
	rows, width              int
	ids, segments, positions []int
}

func newLayout(rows, width int) *layout {
	l := &layout{rows: rows, width: width}
	l.ids, l.segments, l.positions = make([]int, rows*width), make([]int, rows*width), make([]int, rows*width)
	for i := range l.segments {
		l.segments[i] = padSegment
	}
	return l
}

func (l *layout) place(at, segment int, text []int) {
	copy(l.ids[at:], text)
	for k := range text {
		l.segments[at+k], l.positions[at+k] = segment, k
	}
}

// tensors gives one row of segments and positions when all pictures have the same: the mask is then computed once.
func (l *layout) tensors(on torch.Device) (ids, segments, positions *torch.Tensor) {
	rows := 1
	for i := l.width; i < len(l.segments); i++ {
		if l.segments[i] != l.segments[i%l.width] || l.positions[i] != l.positions[i%l.width] {
			rows = l.rows
			break
		}
	}
	ids = torch.FromInts(l.ids, on, l.rows, l.width)
	segments = torch.FromInts(l.segments[:rows*l.width], on, rows, l.width)
	return ids, segments, torch.FromInts(l.positions[:rows*l.width], on, rows, l.width)
}

// PicturesTo copies the batch with the pictures in another dtype.
func (b *Batch) PicturesTo(d torch.DType) *Batch {
	c := *b
	c.Pictures = b.Pictures.To(d)
	return &c
}

// MapIDs copies the batch with other token ids, as for a network with a cut vocabulary. An id that is not kept is an
// error.
func (b *Batch) MapIDs(to map[int]int) (*Batch, error) {
	c := *b
	for _, field := range []**torch.Tensor{&c.IDs, &c.Targets} {
		ids := torch.Values[int64](*field)
		for i, id := range ids {
			n, ok := to[int(id)]
			if !ok {
				return nil, fmt.Errorf("model: token %d of the batch is not in the kept vocabulary", id)
			}
			ids[i] = int64(n)
		}
		*field = torch.From(ids, b.IDs.Device(), (*field).Shape()...)
	}
	return &c, nil
}
