// Package corpus is the data as a network reads them: pictures with tokenized questions, batch by batch.
package corpus

import (
	"context"
	"errors"
	"fmt"
	"io"

	"espalier/model"
	"espalier/model/prompt"
	"espalier/pipeline/chain"
	"espalier/pipeline/data"
	"espalier/pipeline/fault"
	"espalier/torch"
)

// Reading is how a network takes pictures and questions.
type Reading struct {
	Words prompt.Words
	Pre   model.Preprocessor
	Form  model.Form
	On    torch.Device
	Files chain.Print // of what Words and Pre were read from
}

// Corpus is a split as a network reads it.
type Corpus struct {
	Reading
	Split     *data.Split
	Questions [][]model.Question // of each picture; an answer ends with end-of-sequence, nil where there is none
	Own       [][]bool           // which answers are the teacher's own words, where the data have none
	Joined    Joined             // answers whose ids do not follow their prompt's

	print chain.Print
}

// New tokenizes a split.
func New(split *data.Split, r Reading) (*Corpus, error) {
	c := &Corpus{Reading: r, Split: split, Questions: make([][]model.Question, split.Len()), Own: make([][]bool, split.Len())}
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
			c.Questions[i] = append(c.Questions[i], packed)
			c.Own[i] = append(c.Own[i], false)
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
	questions := make([][]model.Question, len(pictures))
	for i, p := range pictures {
		for _, q := range c.Questions[p] {
			if q.Answer != nil {
				questions[i] = append(questions[i], q)
			}
		}
	}
	return c.Form.Pack(c.Pre.Pictures(pixels, c.On), questions, c.On)
}

// Learnt are the ids of the answer to a question of a picture, the end left out; nil where there is none.
func (c *Corpus) Learnt(picture, question int) []int {
	ids := c.Questions[picture][question].Answer
	return ids[:max(0, len(ids)-1)]
}

// Rows is how many positions of a picture are scored, and how many of these have an answer of the data's.
func (c *Corpus) Rows(pictures ...int) (all, labelled int) {
	for _, p := range pictures {
		for j, q := range c.Questions[p] {
			all += len(q.Answer)
			if !c.Own[p][j] {
				labelled += len(q.Answer)
			}
		}
	}
	return all, labelled
}

// Labelled lists the scored positions of a batch whose answers are the data's, for distillation.Loss; nil when all are.
func (c *Corpus) Labelled(pictures []int) *torch.Tensor {
	var rows []int
	at, all := 0, true
	for _, p := range pictures {
		for j, q := range c.Questions[p] {
			for range q.Answer {
				if c.Own[p][j] {
					all = false
				} else {
					rows = append(rows, at)
				}
				at++
			}
		}
	}
	if all {
		return nil
	}
	return torch.FromInts(rows, c.On, len(rows))
}

// Each calls f with all pictures in order, batch by batch, decoded ahead of the computation.
func (c *Corpus) Each(ctx context.Context, batch int, f func(b *data.Batch) error) error {
	return c.EachFrom(ctx, 0, batch, f)
}

// EachFrom is Each from a picture on.
func (c *Corpus) EachFrom(ctx context.Context, from, batch int, f func(b *data.Batch) error) error {
	l := data.NewLoader(ctx, c.Split, data.Sequence(from, c.Split.Len()), batch)
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

// pixels reads the pictures from … to without a loader, for small numbers of them.
func (c *Corpus) pixels(from, to int) (*data.Batch, error) {
	b := &data.Batch{}
	for p := from; p < to; p++ {
		b.Index = append(b.Index, p)
	}
	return b, c.fill(b)
}

// fill reads the pixels of a batch's pictures.
func (c *Corpus) fill(b *data.Batch) error {
	size := 3 * c.Pre.Size * c.Pre.Size
	b.Pixels = make([]uint8, len(b.Index)*size)
	for i, p := range b.Index {
		if err := c.Split.Pixels(p, b.Pixels[i*size:(i+1)*size]); err != nil {
			return err
		}
	}
	return nil
}

// Read packs pictures without a loader.
func (c *Corpus) Read(pictures []int) (*model.Batch, error) {
	b := &data.Batch{Index: pictures}
	if err := c.fill(b); err != nil {
		return nil, err
	}
	return c.Batch(b.Index, b.Pixels)
}

// Answers are a network's token ids for every question of a batch, which is known by its first picture. Where memory is short
// pieces divides it; nil never does.
func (c *Corpus) Answers(n model.Network, pieces *torch.Pieces, b *data.Batch, maxTokens int) (out [][][]int, err error) {
	size := 3 * c.Pre.Size * c.Pre.Size
	err = pieces.Do(b.Index[0], func(pieces int) error {
		out = nil
		for i := range pieces {
			from, to := i*len(b.Index)/pieces, (i+1)*len(b.Index)/pieces
			if from == to {
				continue
			}
			part, err := c.generate(n, b.Index[from:to], b.Pixels[from*size:to*size], maxTokens)
			if err != nil {
				return err
			}
			out = append(out, part...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("answer the %s split: %w", c.Split.Name, err)
	}
	return out, nil
}

// generate answers the questions of pictures together.
func (c *Corpus) generate(n model.Network, pictures []int, pixels []uint8, maxTokens int) (out [][][]int, err error) {
	questions := make([][]model.Question, len(pictures))
	for i, p := range pictures {
		questions[i] = c.Questions[p]
	}
	err = torch.Run(func(*torch.Scope) error {
		out, err = n.Generate(c.Pre.Pictures(pixels, c.On), questions, model.GenerateOptions{MaxTokens: maxTokens, Ends: c.Words.Ends()})
		return err
	})
	return out, err
}

// Answer is the whole way from a picture's bytes and a question to the answer's text.
func (c *Corpus) Answer(n model.Network, pixels []uint8, question string, maxTokens int) (text string, err error) {
	err = torch.Run(func(*torch.Scope) error {
		q, err := c.Words.Question(question)
		if err != nil {
			return err
		}
		ids, err := n.Generate(c.Pre.Pictures(pixels, c.On), [][]model.Question{{q}}, model.GenerateOptions{MaxTokens: maxTokens, Ends: c.Words.Ends()})
		if err != nil {
			return err
		}
		text = c.Words.Answers.Decode(ids[0][0])
		return nil
	})
	return text, err
}

// Save writes a network as a checkpoint that stands alone: weights, config, tokenizer and preprocessing.
func (r Reading) Save(n model.Network, folder string) error {
	if err := r.Words.Save(folder); err != nil {
		return err
	}
	if err := r.Pre.Save(folder); err != nil {
		return err
	}
	return n.Save(folder)
}
