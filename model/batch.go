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

// Form says how a network takes its questions, and with it how a batch is laid out. The zero Form is BLIP-2's with a
// decoder alone: the questions of a picture share its visual prefix in one row. Where the Q-Former or an encoder reads
// the question, nothing can be shared behind the visual encoder, and each question has a row of its own.
type Form struct {
	Instruct       bool // the Q-Former reads the question
	EncoderDecoder bool // the question goes into an encoder, the answer into a decoder
	Start          int  // the id that a decoder of its own begins with
}

func (f Form) rowEach() bool { return f.Instruct || f.EncoderDecoder }

// Tokens is how many tokens the language model reads for a picture's questions, its query tokens included: once where
// the questions share a row, else for each question.
func (f Form) Tokens(queries int, questions []Question) int {
	n := queries
	if f.EncoderDecoder {
		n++ // the start token
	}
	if f.rowEach() {
		n *= len(questions)
	}
	for _, q := range questions {
		n += len(q.Prompt) + max(0, len(q.Answer)-1) // an answer's last token is predicted, never read
	}
	return n
}

// Question is a prompt and the answer that is scored after it, as token ids; the answer ends with end-of-sequence.
type Question struct {
	Prompt, Answer []int
	Instruction    []int // the question as the Q-Former reads it, in its own vocabulary; for InstructBLIP alone
}

// Prompts are questions without answers, by picture.
func Prompts(ids [][][]int) [][]Question {
	out := make([][]Question, len(ids))
	for i, prompts := range ids {
		for _, p := range prompts {
			out[i] = append(out[i], Question{Prompt: p})
		}
	}
	return out
}

// Batch is pictures with their questions in the layout of a Form. It is made of tensors of the current scope.
type Batch struct {
	Pictures  *torch.Tensor // normalised, [pictures, 3, size, size]
	Owner     *torch.Tensor // int64 [rows]: the picture of each row; nil when the rows are the pictures
	IDs       *torch.Tensor // int64 [rows, tokens]: what stands behind the visual prefix
	Segments  *torch.Tensor // int64 [rows or 1, tokens]: which question of the row a token belongs to
	Positions *torch.Tensor // int64 [rows or 1, tokens]: place after the prefix
	Rows      *torch.Tensor // int64 [n]: the scored positions among the batch's tokens, or the decoder's
	Targets   *torch.Tensor // int64 [n]: the right next token at each

	Instruction     *torch.Tensor // int64 [rows, tokens] for the Q-Former, or nil
	InstructionMask *torch.Tensor // bool [rows, tokens]: which of them are there
	DecoderIDs      *torch.Tensor // int64 [rows, tokens] for a decoder of its own, or nil

	Scored         []int // how many positions of each picture are scored
	LongestSegment int
}

// Pack lays out questions and moves them to a device. Every prompt needs a token: the first word of an answer is
// predicted from the prompt's last one.
func (f Form) Pack(pictures *torch.Tensor, questions [][]Question, on torch.Device) (*Batch, error) {
	for i, qs := range questions {
		for j, q := range qs {
			if len(q.Prompt) == 0 {
				return nil, fmt.Errorf("model: question %d of picture %d has no words", j, i)
			}
		}
	}
	b := &Batch{Pictures: pictures}
	if !f.rowEach() {
		b.pack(questions, questions, on)
		return b, nil
	}
	var rows [][]Question
	var owner []int
	for i, qs := range questions {
		for _, q := range qs {
			rows, owner = append(rows, []Question{q}), append(owner, i)
		}
	}
	if !ascending(owner, len(questions)) {
		b.Owner = torch.FromInts(owner, on, len(owner))
	}
	if f.Instruct {
		b.instruct(rows, on)
	}
	if f.EncoderDecoder {
		b.packApart(rows, questions, f.Start, on)
	} else {
		b.pack(rows, questions, on)
	}
	return b, nil
}

// ascending tells whether the rows are the pictures: 0, 1, … n-1.
func ascending(owner []int, n int) bool {
	for i, p := range owner {
		if p != i {
			return false
		}
	}
	return len(owner) == n
}

// pack lays prompts and answers one behind the other, for a decoder that reads both.
func (b *Batch) pack(rows, pictures [][]Question, on torch.Device) {
	width := 0
	for _, qs := range rows {
		n := 0
		for _, q := range qs {
			n += len(q.Prompt) + max(0, len(q.Answer)-1)
		}
		width = max(width, n)
	}
	layout := newLayout(len(rows), width)
	var scored, targets []int
	for i, qs := range rows {
		at := i * width
		for j, q := range qs {
			text := q.Prompt
			if len(q.Answer) > 1 {
				text = append(append([]int{}, q.Prompt...), q.Answer[:len(q.Answer)-1]...)
			}
			layout.place(at, j, text)
			for k, target := range q.Answer {
				scored = append(scored, at+len(q.Prompt)-1+k)
				targets = append(targets, target)
			}
			b.LongestSegment = max(b.LongestSegment, len(text))
			at += len(text)
		}
	}
	b.IDs, b.Segments, b.Positions = layout.tensors(on)
	b.score(scored, targets, pictures, on)
}

// packApart lays the prompts out for an encoder and the answers, behind the start token, for a decoder.
func (b *Batch) packApart(rows, pictures [][]Question, start int, on torch.Device) {
	width, answers := 0, 1
	for _, qs := range rows {
		width, answers = max(width, len(qs[0].Prompt)), max(answers, len(qs[0].Answer))
	}
	layout := newLayout(len(rows), width)
	decoder := make([]int, len(rows)*answers)
	var scored, targets []int
	for i, qs := range rows {
		q := qs[0]
		layout.place(i*width, 0, q.Prompt)
		decoder[i*answers] = start
		for k, target := range q.Answer {
			scored, targets = append(scored, i*answers+k), append(targets, target)
			if k > 0 {
				decoder[i*answers+k] = q.Answer[k-1]
			}
		}
		b.LongestSegment = max(b.LongestSegment, len(q.Prompt))
	}
	b.IDs, b.Segments, b.Positions = layout.tensors(on)
	b.DecoderIDs = torch.FromInts(decoder, on, len(rows), answers)
	b.score(scored, targets, pictures, on)
}

func (b *Batch) score(rows, targets []int, pictures [][]Question, on torch.Device) {
	b.Rows, b.Targets = torch.FromInts(rows, on, len(rows)), torch.FromInts(targets, on, len(targets))
	for _, qs := range pictures {
		n := 0
		for _, q := range qs {
			n += len(q.Answer)
		}
		b.Scored = append(b.Scored, n)
	}
}

// instruct lays out the questions for the Q-Former.
func (b *Batch) instruct(rows [][]Question, on torch.Device) {
	width := 0
	for _, qs := range rows {
		width = max(width, len(qs[0].Instruction))
	}
	ids, seen := make([]int, len(rows)*width), make([]int, len(rows)*width)
	for i, qs := range rows {
		for k, id := range qs[0].Instruction {
			ids[i*width+k], seen[i*width+k] = id, 1
		}
	}
	b.Instruction = torch.FromInts(ids, on, len(rows), width)
	b.InstructionMask = torch.FromInts(seen, on, len(rows), width).GtScalar(0)
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

// tensors gives one row of segments and positions when all rows have the same: the mask is then computed once.
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

// GateRows is how many rows of activations a tower computes for the batch: what one gate a row has to have.
func (b *Batch) GateRows(tower string) int {
	if tower == "vision" || (tower == "qformer" && b.Instruction == nil) {
		return b.Pictures.Size(0)
	}
	return b.IDs.Size(0)
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
	for _, field := range []**torch.Tensor{&c.IDs, &c.DecoderIDs, &c.Targets} {
		if *field == nil {
			continue
		}
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
