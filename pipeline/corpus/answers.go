package corpus

import (
	"fmt"
	"math"

	"espalier/model"
	"espalier/pipeline/data"
	"espalier/torch"
)

// Answers are a network's token ids for every question of a batch, which is known by its first picture. Where memory is short
// pieces divides it; nil never does.
func (c *Corpus) Answers(n model.Network, pieces *torch.Pieces, b *data.Batch, maxTokens int) ([][][]int, error) {
	out, _, err := answers(c, n, pieces, b, maxTokens, false)
	return out, err
}

// AnswersWithConfidence are a corpus's Answers with the confidence of each: the product of the probabilities of its tokens and its end.
func AnswersWithConfidence(c *Corpus, n model.Network, pieces *torch.Pieces, b *data.Batch, maxTokens int) ([][][]int, [][]float64, error) {
	return answers(c, n, pieces, b, maxTokens, true)
}

func answers(c *Corpus, n model.Network, pieces *torch.Pieces, b *data.Batch, maxTokens int, confident bool) (out [][][]int, confidence [][]float64, err error) {
	size := 3 * c.Pre.Size * c.Pre.Size
	questions := make([][]model.Question, len(b.Index))
	for i, p := range b.Index {
		questions[i] = c.Asked.Questions[p]
	}
	err = pieces.Do(b.Index[0], func(pieces int) error {
		out, confidence = nil, nil
		for i := range pieces {
			from, to := i*len(b.Index)/pieces, (i+1)*len(b.Index)/pieces
			if from == to {
				continue
			}
			o := model.GenerateOptions{MaxTokens: maxTokens}
			var logProbs [][][]float64
			if confident {
				o.LogProbs = &logProbs
			}
			part, err := c.generate(n, b.Pixels[from*size:to*size], questions[from:to], o)
			if err != nil {
				return err
			}
			out = append(out, part...)
			confidence = append(confidence, products(logProbs)...)
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("answer the %s split: %w", c.Split.Name, err)
	}
	return out, confidence, nil
}

// products are the probabilities of answers, from the log-probabilities of their tokens.
func products(logProbs [][][]float64) (out [][]float64) {
	for _, answers := range logProbs {
		of := make([]float64, len(answers))
		for j, tokens := range answers {
			for _, p := range tokens {
				of[j] += p
			}
			if of[j] = math.Exp(of[j]); math.IsNaN(of[j]) {
				of[j] = 0 // logits that are no numbers are sure of nothing
			}
		}
		out = append(out, of)
	}
	return out
}
