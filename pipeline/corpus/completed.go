package corpus

import (
	"context"

	"espalier/model"
	"espalier/pipeline/chain"
	"espalier/pipeline/data"
)

// Missing are the teacher's token ids for the questions without an answer, in their order.
func (c *Corpus) Missing(ctx context.Context, w *chain.Work, teacher model.Network, batch, maxTokens int) (out [][]int, err error) {
	part := chain.Resume[[][]int](w, "missing answers")
	out = part.Value
	err = c.EachFrom(ctx, part.Done, batch, func(b *data.Batch) error {
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
		part.Add(b.Index[len(b.Index)-1]+1, out)
		return nil
	})
	if err != nil {
		part.Keep()
	}
	return out, err
}

// Complete fills in the missing answers.
func (c *Corpus) Complete(missing [][]int) {
	c.print = chain.Of([]any{c.print, missing})
	c.Asked.complete(missing, c.Words.Answers.EOS())
}
