package corpus

import (
	"fmt"
	"math"
	"slices"

	"golang.org/x/sync/errgroup"

	"espalier/model"
	"espalier/pipeline/data"
	"espalier/pipeline/fault"
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
			part, sure, err := shared(c, n, b.Pixels, questions, from, to, maxTokens, confident)
			if err != nil {
				return err
			}
			out, confidence = append(out, part...), append(confidence, sure...)
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("answer the %s split: %w", c.Split.Name, err)
	}
	return out, confidence, nil
}

// shared answers the questions about some pictures. On the CPU each thread answers a share of the pictures by itself, since threads that share one small
// operation mostly wait for each other.
func shared(c *Corpus, n model.Network, pixels []uint8, questions [][]model.Question, from, to, maxTokens int, confident bool) (out [][][]int, confidence [][]float64, err error) {
	shares := 1
	if c.On == torch.CPU {
		shares = min(torch.NumThreads(), to-from)
	}
	size := 3 * c.Pre.Size * c.Pre.Size
	answers, logProbs := make([][][][]int, shares), make([][][][]float64, shares)
	one := func(i int) (err error) {
		defer fault.Caught(&err)
		first, last := from+i*(to-from)/shares, from+(i+1)*(to-from)/shares
		o := model.GenerateOptions{MaxTokens: maxTokens}
		if confident {
			o.LogProbs = &logProbs[i]
		}
		answers[i], err = c.generate(n, pixels[first*size:last*size], questions[first:last], o)
		return err
	}
	if shares == 1 {
		err = one(0)
	} else {
		var group errgroup.Group
		for i := range shares {
			group.Go(func() (err error) {
				torch.WithThreads(1, func() { err = one(i) })
				return err
			})
		}
		err = group.Wait()
	}
	return slices.Concat(answers...), products(slices.Concat(logProbs...)), err
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
