package corpus

import (
	"context"

	"espalier/model"
	"espalier/pipeline/chain"
	"espalier/pipeline/data"
	"espalier/torch"
)

// Lacks tells whether the data leave an answer open.
func (c *Corpus) Lacks() bool {
	for _, questions := range c.Questions {
		for _, q := range questions {
			if q.Answer == nil {
				return true
			}
		}
	}
	return false
}

// Missing are the teacher's token ids for the questions without an answer, in their order.
func (c *Corpus) Missing(ctx context.Context, teacher model.Network, pieces *torch.Pieces, batch, maxTokens int) (out [][]int, err error) {
	err = c.Each(ctx, batch, func(b *data.Batch) error {
		answers, err := c.Answers(teacher, pieces, b, maxTokens)
		if err != nil {
			return err
		}
		for i, p := range b.Index {
			for j, q := range c.Questions[p] {
				if q.Answer == nil {
					out = append(out, answers[i][j])
				}
			}
		}
		return nil
	})
	return out, err
}

// Complete fills in the missing answers.
func (c *Corpus) Complete(missing [][]int) {
	c.print = chain.Of([]any{c.print, missing})
	for p := range c.Questions {
		for j := range c.Questions[p] {
			if q := &c.Questions[p][j]; q.Answer == nil {
				q.Answer, c.Own[p][j] = append(missing[0], c.Words.Answers.EOS()), true
				missing = missing[1:]
			}
		}
	}
}

// Answered tells whether one of the pictures has a question whose answer the data give.
func (c *Corpus) Answered(pictures ...int) bool {
	for _, p := range pictures {
		for j, q := range c.Questions[p] {
			if q.Answer != nil && !c.Own[p][j] {
				return true
			}
		}
	}
	return false
}
