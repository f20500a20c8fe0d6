package corpus

import (
	"context"
	"errors"
	"sync"

	"espalier/pipeline/data"
	"espalier/torch"
)

// Feed gives a training its batches by number: pictures in a new seeded order each epoch. Several workers may ask for pieces of one batch at once.
type Feed struct {
	Vary data.Vary // how far the pictures are changed; to be set before the first batch

	c        *Corpus
	ctx      context.Context
	size     int
	seed     uint64
	answered bool

	asking sync.Mutex
	loader *data.Loader
	number int // of the batch at hand
	batch  *data.Batch
}

// Feed makes one with so many pictures a batch. Where only answers of the data's teach, answered passes over batches that
// have none: their loss would have no gradient. A picture must have an answer then.
func (c *Corpus) Feed(ctx context.Context, size int, seed uint64, answered bool) *Feed {
	return &Feed{c: c, ctx: ctx, size: size, seed: seed, answered: answered, number: -1}
}

// Batch is the batch of a number, from 0. The next one, and the one at hand, cost the least.
func (f *Feed) Batch(number int) (*data.Batch, error) {
	f.asking.Lock()
	defer f.asking.Unlock()
	if number == f.number {
		return f.batch, nil
	}
	if f.loader == nil || number != f.number+1 {
		f.close()
		f.loader = data.NewVariedLoader(f.ctx, f.c.Split, f.seed, f.start(number), f.size, f.Vary)
	}
	for passed := 0; ; passed += f.size {
		b, err := f.loader.Next()
		if err != nil {
			return nil, err
		}
		if !f.answered || f.c.Asked.Answered(b.Index...) {
			f.number, f.batch = number, b
			return b, nil
		}
		if passed > 2*f.c.Split.Len() {
			return nil, errors.New("no training picture has an answer in the data, and a training needs one; add some answers")
		}
	}
}

// start is the place of a batch in the endless order of pictures.
func (f *Feed) start(number int) (pictures int) {
	if !f.answered {
		return number * f.size
	}
	var batch []int
	for p := range data.Endless(f.c.Split.Len(), f.seed, 0) {
		if number == 0 {
			break
		}
		if batch = append(batch, p); len(batch) == f.size {
			if f.c.Asked.Answered(batch...) {
				number--
			}
			batch = batch[:0]
			pictures += f.size
		}
	}
	return pictures
}

// Close ends the reading ahead.
func (f *Feed) Close() {
	f.asking.Lock()
	defer f.asking.Unlock()
	f.close()
}

func (f *Feed) close() {
	if f.loader != nil {
		f.loader.Close()
		f.loader = nil
	}
}

// Piece is a piece of a batch, of so many, and the batch. Nil stands for a piece that no answer of the data's is in where
// those alone teach, or no answer at all.
func (f *Feed) Piece(number, piece, pieces int) (b, whole *data.Batch, err error) {
	whole, err = f.Batch(number)
	if err != nil || pieces == 1 {
		return whole, whole, err
	}
	n := len(whole.Index)
	from, to := piece*n/pieces, (piece+1)*n/pieces
	all, labelled := f.c.Asked.Rows(whole.Index[from:to]...)
	if all == 0 || labelled == 0 && f.answered {
		return nil, whole, nil
	}
	size := len(whole.Pixels) / n
	return &data.Batch{Index: whole.Index[from:to], Pixels: whole.Pixels[from*size : to*size], Questions: whole.Questions[from:to]}, whole, nil
}

// Precision is the dtype of a forward, by its name in the configuration.
func Precision(name string) torch.DType {
	if name == "bf16" {
		return torch.BFloat16
	}
	return torch.Float32
}
