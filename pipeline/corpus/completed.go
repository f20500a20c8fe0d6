package corpus

import (
	"context"

	"espalier/model"
	"espalier/pipeline/chain"
	"espalier/pipeline/data"
)

// Missing are the teacher's token ids for the questions without an answer, in their order.
func (c *Corpus) Missing(ctx context.Context, teacher model.Network, batch, maxTokens int) (out [][]int, err error) {
	err = c.Each(ctx, batch, func(b *data.Batch) error {
		answers, err := c.Answers(teacher, b, maxTokens)
		if err != nil {
			return err
		}
		for i, p := range b.Index {
			for j, q := range c.Asked.Questions[p] {
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
	c.Asked.complete(missing, c.Words.Answers.EOS())
}
