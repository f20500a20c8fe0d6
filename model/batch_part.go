package model

import (
	"slices"

	"espalier/torch"
)

// Parts are the pictures of a batch in so many pieces, in order; a piece without a picture is left out.
func (b *Batch) Parts(pieces int) (out []*Batch) {
	n := b.Pictures.Size(0)
	for i := range pieces {
		if from, to := i*n/pieces, (i+1)*n/pieces; from < to {
			out = append(out, b.part(from, to))
		}
	}
	return out
}

// part is the pictures from … to, laid out as in the whole batch: with the same padding, and so with the same numbers up to
// rounding.
func (b *Batch) part(from, to int) *Batch {
	first, last := from, to // rows
	c := *b
	if b.Owner != nil {
		owner := torch.Values[int64](b.Owner)
		first, _ = slices.BinarySearch(owner, int64(from))
		last, _ = slices.BinarySearch(owner, int64(to))
		c.Owner = less(b.Owner.Slice(0, first, last), from)
	}
	rows := b.IDs.Size(0)
	for _, field := range []**torch.Tensor{&c.IDs, &c.Segments, &c.Positions, &c.Instruction, &c.InstructionMask, &c.DecoderIDs} {
		if t := *field; t != nil && t.Size(0) == rows { // one row of segments may serve all
			*field = t.Slice(0, first, last)
		}
	}
	c.Pictures = b.Pictures.Slice(0, from, to)
	c.Scored = b.Scored[from:to]
	before, own := sum(b.Scored[:from]), sum(c.Scored)
	width := b.IDs.Size(1)
	if b.DecoderIDs != nil {
		width = b.DecoderIDs.Size(1)
	}
	c.Rows = less(b.Rows.Slice(0, before, before+own), first*width)
	c.Targets = b.Targets.Slice(0, before, before+own)
	return &c
}

// less subtracts n from int64 numbers, which adding a scalar would turn into floats.
func less(t *torch.Tensor, n int) *torch.Tensor {
	return t.Sub(torch.FromInts([]int{n}, t.Device(), 1))
}

func sum(of []int) (n int) {
	for _, v := range of {
		n += v
	}
	return n
}
