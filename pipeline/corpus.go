package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"

	"espalier/model"
	"espalier/model/prompt"
	"espalier/pipeline/data"
	"espalier/pipeline/fault"
	"espalier/torch"
)

// corpus is a split as a network reads it: pictures with tokenized questions.
type corpus struct {
	split     *data.Split
	words     prompt.Words
	pre       model.Preprocessor
	on        torch.Device
	form      model.Form         // how the network takes its questions
	questions [][]model.Question // of each picture; an answer ends with end-of-sequence, nil where there is none
	teacher   [][]bool           // which answers are the teacher's own word, where the data have none
	joined    joined             // answers whose ids do not follow their prompt's
}

func newCorpus(split *data.Split, words prompt.Words, pre model.Preprocessor, form model.Form, on torch.Device) (*corpus, error) {
	c := &corpus{split: split, words: words, pre: pre, form: form, on: on,
		questions: make([][]model.Question, split.Len()), teacher: make([][]bool, split.Len())}
	for i := range split.Len() {
		for j, q := range split.Questions(i) {
			packed, err := words.Question(q.Text)
			if err != nil {
				return nil, fault.Inputf("data: %s: question %q: %w", split.Place(i, j), q.Text, err)
			}
			if len(q.Answers) > 0 {
				var follows bool
				if packed.Answer, follows, err = words.Answer(q.Text, q.Answers[0]); err != nil {
					return nil, fault.Inputf("data: %s: answer %q: %w", split.Place(i, j), q.Answers[0], err)
				}
				if !follows {
					c.joined.add(split.Place(i, j), q)
				}
			}
			c.questions[i] = append(c.questions[i], packed)
			c.teacher[i] = append(c.teacher[i], false)
		}
	}
	return c, nil
}

// batch packs pictures, given by their numbers in the split, with all their questions that have answers.
func (c *corpus) batch(pictures []int, pixels []uint8) (*model.Batch, error) {
	questions := make([][]model.Question, len(pictures))
	for i, p := range pictures {
		for _, q := range c.questions[p] {
			if q.Answer != nil {
				questions[i] = append(questions[i], q)
			}
		}
	}
	return c.form.Pack(c.pre.Pictures(pixels, c.on), questions, c.on)
}

// learnt are the ids of the answer to a question of a picture, the end left out; nil where there is none.
func (c *corpus) learnt(picture, question int) []int {
	ids := c.questions[picture][question].Answer
	return ids[:max(0, len(ids)-1)]
}

// labelled lists the scored positions of a batch whose answers are the data's, for distillation.Loss; nil when all are.
func (c *corpus) labelled(pictures []int) *torch.Tensor {
	var rows []int
	at, all := 0, true
	for _, p := range pictures {
		for j, q := range c.questions[p] {
			for range q.Answer {
				if c.teacher[p][j] {
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
	return torch.FromInts(rows, c.on, len(rows))
}

// each calls f with all pictures in order, batch by batch, decoded ahead of the computation.
func (c *corpus) each(ctx context.Context, batch int, f func(b *data.Batch) error) error {
	l := data.NewLoader(ctx, c.split, data.Sequence(c.split.Len()), batch)
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
func (c *corpus) pixels(from, to int) (*data.Batch, error) {
	b := &data.Batch{}
	for p := from; p < to; p++ {
		b.Index = append(b.Index, p)
	}
	return b, c.fill(b)
}

// fill reads the pixels of a batch's pictures.
func (c *corpus) fill(b *data.Batch) error {
	size := 3 * c.pre.Size * c.pre.Size
	b.Pixels = make([]uint8, len(b.Index)*size)
	for i, p := range b.Index {
		if err := c.split.Pixels(p, b.Pixels[i*size:(i+1)*size]); err != nil {
			return err
		}
	}
	return nil
}

// read packs pictures without a loader.
func (c *corpus) read(pictures []int) (*model.Batch, error) {
	b := &data.Batch{Index: pictures}
	if err := c.fill(b); err != nil {
		return nil, err
	}
	return c.batch(b.Index, b.Pixels)
}

// shuffled is an endless stream of batches in a new seeded order each epoch.
func (c *corpus) shuffled(ctx context.Context, batch int, seed uint64) *data.Loader {
	return data.NewLoader(ctx, c.split, data.Endless(c.split.Len(), seed, 0), batch)
}

// completeWith fills in the missing answers of the data with the teacher's own. It tells how many there were.
func (c *corpus) completeWith(ctx context.Context, teacher model.Network, batch, maxTokens int) (n int, err error) {
	missing := func(p int) bool {
		for _, q := range c.questions[p] {
			if q.Answer == nil {
				return true
			}
		}
		return false
	}
	lacking := false
	for p := range c.questions {
		lacking = lacking || missing(p)
	}
	if !lacking {
		return 0, nil
	}
	err = c.each(ctx, batch, func(b *data.Batch) error {
		answers, err := c.answers(teacher, b, maxTokens)
		if err != nil {
			return err
		}
		for i, p := range b.Index {
			for j := range c.questions[p] {
				if q := &c.questions[p][j]; q.Answer == nil {
					q.Answer, c.teacher[p][j] = append(answers[i][j], c.words.Answers.EOS()), true
					n++
				}
			}
		}
		return nil
	})
	return n, err
}

// answers are the network's token ids for every question of a batch.
func (c *corpus) answers(n model.Network, b *data.Batch, maxTokens int) (out [][][]int, err error) {
	questions := make([][]model.Question, len(b.Index))
	for i, p := range b.Index {
		questions[i] = c.questions[p]
	}
	err = torch.Run(func(*torch.Scope) error {
		out, err = n.Generate(c.pre.Pictures(b.Pixels, c.on), questions, model.GenerateOptions{MaxTokens: maxTokens, Ends: c.words.Ends()})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("answer the %s split: %w", c.split.Name, err)
	}
	return out, nil
}
