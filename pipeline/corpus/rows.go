package corpus

import (
	"fmt"
	"slices"

	"espalier/model"
	"espalier/pipeline/chain"
	"espalier/pipeline/data"
	"espalier/pipeline/event"
)

// What a picture may take of the language model where the configuration leaves it open; docs/decisions.md has the
// measurements.
const (
	fewestRowTokens = 96
	mostRowTokens   = 512
)

// chosenRowTokens is half as much again as the middle picture of the split takes: then a batch, padded to its longest row,
// costs at most that much more than one of middle pictures.
func chosenRowTokens(taken []int) int {
	sorted := slices.Sorted(slices.Values(taken))
	return min(max(sorted[len(sorted)/2]*3/2, fewestRowTokens), mostRowTokens)
}

// Divide makes parts of the pictures whose questions take more than so many tokens (0 chooses): from then on each part
// is a picture of its own, for batches, teacher outputs and scores alike. An answer that is missing in the data is counted as
// unanswered tokens. The note says what was divided; it is empty where nothing was.
func (c *Corpus) Divide(limit, queries, unanswered int) (note string) {
	tokens := func(questions []model.Question) int {
		n := c.Form.Tokens(queries, questions)
		for _, q := range questions {
			if q.Answer == nil {
				n += unanswered
			}
		}
		return n
	}
	taken := make([]int, len(c.Asked.Questions))
	for i, qs := range c.Asked.Questions {
		taken[i] = tokens(qs)
	}
	if limit == 0 {
		limit = chosenRowTokens(taken)
	}
	var parts []data.Part
	var divided []int
	for i, qs := range c.Asked.Questions {
		own := partsOf(i, qs, func(part []model.Question) bool { return tokens(part) <= limit })
		if parts = append(parts, own...); len(own) > 1 {
			divided = append(divided, i)
		}
	}
	if len(divided) == 0 {
		return ""
	}
	most := slices.MaxFunc(divided, func(a, b int) int { return taken[a] - taken[b] })
	note = fmt.Sprintf("data: %s split: %d of %d pictures have more questions than fit into %d tokens (most: %s, %d questions, %d tokens); "+
		"they are divided, and each of their %d parts counts as a picture in a batch; data.row_tokens sets the limit",
		c.Split.Name, len(divided), len(taken), limit, c.Split.Place(most, 0), len(c.Asked.Questions[most]), taken[most], len(parts)-len(taken)+len(divided))
	c.Split, c.Asked = c.Split.Divide(parts), c.Asked.divided(parts)
	c.print = chain.Of([]any{c.print, parts})
	return note
}

// partsOf divides a picture's questions, in order, into parts that fit; a question that does not fit stands alone.
func partsOf(picture int, questions []model.Question, fits func(part []model.Question) bool) []data.Part {
	var parts []data.Part
	from := 0
	for j := range questions {
		if j > from && !fits(questions[from:j+1]) {
			parts, from = append(parts, data.Part{Picture: picture, From: from, To: j}), j
		}
	}
	return append(parts, data.Part{Picture: picture, From: from, To: len(questions)})
}

// Progress tells how many pictures of the split have been seen with a batch of [Corpus.Each].
func (c *Corpus) Progress(b *data.Batch) event.Progress {
	return event.Progress{Done: c.Split.Parts()[b.Index[len(b.Index)-1]].Picture + 1, Total: c.Split.Parts().Pictures(), Unit: c.Split.Unit()}
}
