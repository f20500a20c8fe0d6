// Package corpus is the data as a network reads them: pictures with tokenized questions, batch by batch.
package corpus

import (
	"context"
	"errors"
	"io"
	"iter"

	"espalier/model"
	"espalier/pipeline/chain"
	"espalier/pipeline/data"
	"espalier/pipeline/fault"
)

// Corpus is a split as a network reads it.
type Corpus struct {
	Reading
	Split  *data.Split
	Asked  Asked
	Joined Joined // answers whose ids do not follow their prompt's

	print chain.Print
}

// New tokenizes a split.
func New(split *data.Split, r Reading) (*Corpus, error) {
	c := &Corpus{Reading: r, Split: split, Asked: newAsked(split.Len())}
	for i := range split.Len() {
		for j, q := range split.Questions(i) {
			packed, err := r.Words.Question(q.Text)
			if err != nil {
				return nil, fault.Inputf("data: %s: question %q: %w", split.Place(i, j), q.Text, err)
			}
			if len(q.Answers) > 0 {
				var follows bool
				if packed.Answer, follows, err = r.Words.Answer(q.Text, q.Answers[0]); err != nil {
					return nil, fault.Inputf("data: %s: answer %q: %w", split.Place(i, j), q.Answers[0], err)
				}
				if !follows {
					c.Joined.add(split.Place(i, j), q)
				}
			}
			c.Asked.add(i, packed, false)
		}
	}
	c.print = chain.Of(struct {
		Split    string
		Files    chain.Print
		Template string
		Form     model.Form
		Pre      []any
	}{split.Hash(), r.Files, r.Words.Template, r.Form, []any{r.Pre.Size, r.Pre.Rescale, r.Pre.Mean, r.Pre.Std}})
	return c, nil
}

// Print is that of everything that decides the batches.
func (c *Corpus) Print() chain.Print { return c.print }

// Batch packs pictures, given by their numbers in the split, with all their questions that have answers.
func (c *Corpus) Batch(pictures []int, pixels []uint8) (*model.Batch, error) {
	return c.Form.Pack(c.Pictures(pixels, len(pictures)), c.Asked.withAnswers(pictures), c.On)
}

// Each calls f with all pictures in order, batch by batch, decoded ahead of the computation.
func (c *Corpus) Each(ctx context.Context, batch int, f func(b *data.Batch) error) error {
	return c.EachOf(ctx, data.Sequence(0, c.Split.Len()), batch, f)
}

// EachOf is Each of some pictures, in the order given.
func (c *Corpus) EachOf(ctx context.Context, pictures iter.Seq[int], batch int, f func(b *data.Batch) error) error {
	l := data.NewLoader(ctx, c.Split, pictures, batch)
	defer l.Close()
	for {
		b, err := l.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := f(b); err != nil {
			return err
		}
	}
}

// Read packs pictures without a loader.
func (c *Corpus) Read(pictures []int) (*model.Batch, error) {
	b, err := data.ReadBatch(c.Split, pictures)
	if err != nil {
		return nil, err
	}
	return c.Batch(b.Index, b.Pixels)
}
