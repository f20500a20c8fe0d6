package data

import (
	"context"
	"fmt"
	"io"
	"iter"
	"runtime"
	"slices"

	"espalier/pipeline/fault"
)

// Batch is some pictures with their questions.
type Batch struct {
	Index     []int        // of the pictures in their split
	Pixels    []uint8      // [len(Index), 3, size, size], planar RGB
	Questions [][]Question // by picture; they belong to the split: do not change them
}

// Loader gets batches ready on other goroutines, a few ahead of the one that computes, and hands them over in
// order. One goroutine calls Next and Close.
type Loader struct {
	ctx    context.Context
	cancel context.CancelFunc
	queue  chan *pending
	err    error // what Next said last, once it said an error
}

// pending is a batch that is being filled. done is closed when batch or err is set.
type pending struct {
	done  chan struct{}
	batch *Batch
	err   error
}

// NewLoader starts to read `size` pictures at a time, in the order given; the last batch may be smaller. At most
// a few batches are held at once, however slow the reader. The goroutines end when the order does, on the first
// error, when the context ends, or on Close: a loader that is not read to its end must be closed.
func NewLoader(ctx context.Context, split *Split, order iter.Seq[int], size int) *Loader {
	return newLoader(ctx, split, order, size, func([]uint8, int) {})
}

// NewVariedLoader is NewLoader over [Endless] from a place of it on, with pictures that are changed for training.
func NewVariedLoader(ctx context.Context, split *Split, seed uint64, start, size int, vary Vary) *Loader {
	return newLoader(ctx, split, Endless(split.Len(), seed, start), size, func(pixels []uint8, at int) {
		vary.Picture(pixels, split.album.size, seed, start+at)
	})
}

// newLoader has change called with each picture and its place in the order, on the goroutine that reads it.
func newLoader(ctx context.Context, split *Split, order iter.Seq[int], size int, change func(pixels []uint8, at int)) *Loader {
	ctx, cancel := context.WithCancel(ctx)
	workers := runtime.GOMAXPROCS(0)
	l := &Loader{ctx: ctx, cancel: cancel, queue: make(chan *pending, workers)}
	if size <= 0 {
		l.err = fmt.Errorf("data: a batch of %d pictures; give at least 1", size)
		cancel()
		return l
	}
	go l.schedule(chunks(order, size), make(chan struct{}, workers), func(index []int, at int) (*Batch, error) {
		return fill(l.ctx, split, index, func(pixels []uint8, k int) { change(pixels, at+k) })
	})
	return l
}

// schedule starts filling each batch, and tells how many pictures are before it. The queue's length bounds how far ahead it
// gets, slots bounds how many are filled at a time.
func (l *Loader) schedule(batches iter.Seq[[]int], slots chan struct{}, fill func(index []int, before int) (*Batch, error)) {
	defer close(l.queue)
	before := 0
	for index := range batches {
		select {
		case slots <- struct{}{}:
		case <-l.ctx.Done():
			return
		}
		p, at := &pending{done: make(chan struct{})}, before
		before += len(index)
		go func() {
			defer func() { <-slots }()
			defer close(p.done)
			p.batch, p.err = fill(index, at)
		}()
		select {
		case l.queue <- p:
		case <-l.ctx.Done():
			return
		}
	}
}

func chunks(order iter.Seq[int], size int) iter.Seq[[]int] {
	return func(yield func([]int) bool) {
		var chunk []int
		for i := range order {
			if chunk = append(chunk, i); len(chunk) == size {
				if !yield(chunk) {
					return
				}
				chunk = nil
			}
		}
		if len(chunk) > 0 {
			yield(chunk)
		}
	}
}

// fill reads one batch, and has each picture changed. A panic is its error, since on this goroutine nobody else could catch it.
func fill(ctx context.Context, split *Split, index []int, change func(pixels []uint8, k int)) (_ *Batch, err error) {
	defer fault.Caught(&err)
	n := split.album.bytes()
	b := &Batch{Index: index, Pixels: make([]uint8, len(index)*n), Questions: make([][]Question, len(index))}
	for k, i := range index {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		pixels := b.Pixels[k*n : (k+1)*n]
		if err := split.Pixels(i, pixels); err != nil {
			return nil, err
		}
		change(pixels, k)
		b.Questions[k] = split.Questions(i)
	}
	return b, nil
}

// ReadBatch reads some pictures without a loader.
func ReadBatch(split *Split, index []int) (*Batch, error) {
	return fill(context.Background(), split, index, func([]uint8, int) {})
}

// First is a split's first pictures, with all their parts, and how many questions they ask.
func First(split *Split, pictures int) (b *Batch, asked int, err error) {
	if b, err = ReadBatch(split, slices.Collect(Sequence(0, split.Parts().Of(pictures)))); err != nil {
		return nil, 0, err
	}
	for _, questions := range b.Questions {
		asked += len(questions)
	}
	return b, asked, nil
}

// Next waits for the next batch, which then belongs to the caller. It gives io.EOF after the last one, the
// context's error once that has ended, and the error of a picture that cannot be read; after an error it gives
// the same error again.
func (l *Loader) Next() (*Batch, error) {
	if l.err != nil {
		return nil, l.err
	}
	b, err := l.next()
	if err != nil {
		l.err = err
		l.cancel()
	}
	return b, err
}

func (l *Loader) next() (*Batch, error) {
	if err := l.ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case p, more := <-l.queue:
		if !more {
			if err := l.ctx.Err(); err != nil {
				return nil, err // the queue was closed because of it
			}
			return nil, io.EOF
		}
		select {
		case <-p.done:
			return p.batch, p.err
		case <-l.ctx.Done():
			return nil, l.ctx.Err()
		}
	case <-l.ctx.Done():
		return nil, l.ctx.Err()
	}
}

// Close stops the goroutines. It may be called at any time, and more than once.
func (l *Loader) Close() { l.cancel() }
