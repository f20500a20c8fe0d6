package truth

import (
	"slices"

	"espalier/distillation"
	"espalier/model"
	"espalier/pipeline/corpus"
	"espalier/torch"
)

// questions are some pictures with all their questions, packed once and asked of many networks.
type questions struct {
	batches []*model.Batch
	answers [][][]int // of each batch and picture: the tokens of each question's answer
}

// heard sums up what a network says about a picture, over its answers' tokens.
type heard struct {
	tokens, questions, right int
	crossEntropy, margin     float64
}

// ask packs questions in the current scope; as is the dtype of the networks.
func ask(c *corpus.Corpus, pictures []int, as torch.DType) (*questions, error) {
	q := &questions{}
	for some := range slices.Chunk(pictures, batchPictures) {
		b, err := c.Read(some)
		if err != nil {
			return nil, err
		}
		answers := make([][]int, len(some))
		for i, p := range some {
			for _, asked := range c.Asked.Questions[p] {
				if len(asked.Answer) > 0 {
					answers[i] = append(answers[i], len(asked.Answer))
				}
			}
		}
		q.batches, q.answers = append(q.batches, b.PicturesTo(as)), append(q.answers, answers)
	}
	return q, nil
}

// of are a network's answers, picture by picture. A question is answered right when each token of its answer is the likeliest after
// those before it: then greedy generation gives that answer.
func (q *questions) of(n model.Network) (all []heard, err error) {
	for i, b := range q.batches {
		err := torch.Run(func(*torch.Scope) error {
			torch.NoGrad(func() {
				logits := n.Logits(b)
				right := torch.Values[bool](logits.ArgMax(-1).Eq(b.Targets))
				from := 0
				for _, answers := range q.answers[i] {
					all = append(all, hear(logits, b.Targets, right, from, answers))
					from += all[len(all)-1].tokens
				}
			})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// hear sums up the rows of a picture, which begin at one and belong to answers of so many tokens.
func hear(logits, targets *torch.Tensor, right []bool, from int, answers []int) (h heard) {
	for _, tokens := range answers {
		at := from + h.tokens
		if !slices.Contains(right[at:at+tokens], false) {
			h.right++
		}
		h.questions++
		h.tokens += tokens
	}
	if h.tokens > 0 {
		logits, targets = logits.Slice(0, from, from+h.tokens), targets.Slice(0, from, from+h.tokens)
		h.crossEntropy = distillation.CrossEntropy(logits, targets).Item() * float64(h.tokens)
		h.margin = distillation.Margin(logits, targets).Item() * float64(h.tokens)
	}
	return h
}

// mean is over all pictures, each as often as times says; nil is once.
func mean(all []heard, times []int) (q Quality) {
	var tokens, questions float64
	for i, h := range all {
		n := 1.
		if times != nil {
			n = float64(times[i])
		}
		tokens += n * float64(h.tokens)
		questions += n * float64(h.questions)
		q.CrossEntropy += n * h.crossEntropy
		q.Margin += n * h.margin
		q.Accuracy += n * float64(h.right)
	}
	return Quality{q.CrossEntropy / tokens, q.Margin / tokens, q.Accuracy / questions}
}

func (q Quality) minus(p Quality) Quality {
	return Quality{q.CrossEntropy - p.CrossEntropy, q.Margin - p.Margin, q.Accuracy - p.Accuracy}
}
