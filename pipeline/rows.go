package pipeline

import (
	"fmt"
	"slices"

	"espalier/model"
	"espalier/pipeline/data"
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

// divide makes parts of the pictures whose questions take more than so many tokens (0 chooses): from then on each part
// is a picture of its own, for batches, teacher outputs and scores alike. A question that is longer stands alone. An
// answer that the data lack is counted as unanswered tokens. The note says what was divided; it is empty where nothing was.
func (c *corpus) divide(limit, queries, unanswered int) (note string) {
	counted := make([][]model.Question, len(c.questions))
	taken := make([]int, len(c.questions))
	for i, qs := range c.questions {
		counted[i] = slices.Clone(qs)
		for j := range qs {
			if q := &counted[i][j]; q.Answer == nil {
				q.Answer = make([]int, unanswered)
			}
		}
		taken[i] = c.form.Tokens(queries, counted[i])
	}
	if limit == 0 {
		limit = chosenRowTokens(taken)
	}
	var parts []data.Part
	divided, most := 0, 0
	for i, qs := range counted {
		from, before := 0, len(parts)
		for j := range qs {
			if j > from && c.form.Tokens(queries, qs[from:j+1]) > limit {
				parts, from = append(parts, data.Part{Picture: i, From: from, To: j}), j
			}
		}
		if parts = append(parts, data.Part{Picture: i, From: from, To: len(qs)}); len(parts) > before+1 {
			divided++
			if divided == 1 || taken[i] > taken[most] {
				most = i
			}
		}
	}
	if divided == 0 {
		return ""
	}
	note = fmt.Sprintf("data: %s split: %d of %d pictures have more questions than fit into %d tokens (most: %s, %d questions, %d tokens); "+
		"they are divided, and each of the %d parts counts as a picture in a batch; data.row_tokens changes the number",
		c.split.Name, divided, len(counted), limit, c.split.Place(most, 0), len(counted[most]), taken[most], len(parts)-len(counted)+divided)
	questions, teacher := make([][]model.Question, len(parts)), make([][]bool, len(parts))
	for i, p := range parts {
		questions[i], teacher[i] = c.questions[p.Picture][p.From:p.To], c.teacher[p.Picture][p.From:p.To]
	}
	c.split, c.questions, c.teacher = c.split.Divide(parts), questions, teacher
	return note
}

// progress tells how many pictures of the split have been seen with a batch of [corpus.each].
func (c *corpus) progress(b *data.Batch) Progress {
	return Progress{Done: c.split.Picture(b.Index[len(b.Index)-1]) + 1, Total: c.split.Pictures(), Unit: "pictures"}
}

// shares are the first pictures, shared out among workers, and how many questions they ask.
func (c *corpus) shares(pictures, workers int) (shares []*data.Batch, asked int, err error) {
	for i := range workers {
		share, err := c.pixels(c.split.PartsOf(i*pictures/workers), c.split.PartsOf((i+1)*pictures/workers))
		if err != nil {
			return nil, 0, err
		}
		for _, p := range share.Index {
			asked += len(c.questions[p])
		}
		shares = append(shares, share)
	}
	return shares, asked, nil
}
