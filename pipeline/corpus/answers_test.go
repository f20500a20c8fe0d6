package corpus

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/pipeline/data"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// reader says of each picture its brightness and the question's length, the longer the less surely, in too little memory for more than so many pictures.
type reader struct {
	model.Network
	fits int
}

func (r reader) Generate(pictures *torch.Tensor, questions [][]model.Question, o model.GenerateOptions) (out [][][]int, err error) {
	if n := pictures.Size(0); n > r.fits {
		panic(&torch.Error{Op: "matmul", Kind: torch.KindMemory, Message: fmt.Sprintf("no room for %d pictures", n)})
	}
	for i, qs := range questions {
		out = append(out, nil)
		if o.LogProbs != nil {
			*o.LogProbs = append(*o.LogProbs, nil)
		}
		for _, q := range qs {
			if o.LogProbs != nil {
				(*o.LogProbs)[i] = append((*o.LogProbs)[i], []float64{math.Log(.5), -math.Log(float64(len(q.Prompt)))})
			}
			out[i] = append(out[i], []int{int(1000 * pictures.Slice(0, i, i+1).Mean().Item()), len(q.Prompt)})
		}
	}
	return out, nil
}

// A batch of questions that does not fit into memory is answered in pieces, with the same answers in the same order.
func TestAnswersInPieces(t *testing.T) {
	torchtest.Setup(t)
	defer torch.SetNumThreads(torch.NumThreads())
	torch.SetNumThreads(1)
	c := adsCorpus(t, model.Form{}, ownWords)
	answers := func(fits int, pieces *torch.Pieces) (out [][][]int, err error) {
		err = c.Each(context.Background(), 3, func(b *data.Batch) error {
			part, err := c.Answers(reader{fits: fits}, pieces, b, 4)
			out = append(out, part...)
			return err
		})
		return out, err
	}
	want, err := answers(3, nil)
	require.NoError(t, err)
	require.Len(t, want, 3)
	require.NotEqual(t, want[0], want[1])
	pieces := &torch.Pieces{Most: 3, What: "answers"}
	got, err := answers(1, pieces)
	require.NoError(t, err)
	assert.Equal(t, want, got)
	assert.Equal(t, []torch.Growth{{From: 0, Pieces: 2}, {From: 0, Pieces: 3}}, pieces.Grown)
	_, err = answers(0, pieces)
	var short *torch.OutOfMemory
	require.ErrorAs(t, err, &short)
	assert.ErrorContains(t, err, "answer the train split: there is not enough memory for answers, a batch in 3 pieces: torch: matmul: no room for 1 pictures")
}

// Threads answer about shares of the pictures, with the same answers in the same order; what fails in one of them is told.
func TestAnswersOfThreads(t *testing.T) {
	torchtest.Setup(t)
	defer torch.SetNumThreads(torch.NumThreads())
	c := adsCorpus(t, model.Form{}, ownWords)
	b, err := data.ReadBatch(c.Split, []int{0, 1, 2})
	require.NoError(t, err)
	torch.SetNumThreads(1)
	want, sure, err := AnswersWithConfidence(c, reader{fits: 3}, nil, b, 4)
	require.NoError(t, err)
	for threads, fits := range map[int]int{2: 2, 3: 1, 5: 1} {
		torch.SetNumThreads(threads)
		got, confidence, err := AnswersWithConfidence(c, reader{fits: fits}, nil, b, 4)
		require.NoError(t, err)
		assert.Equal(t, want, got)
		assert.Equal(t, sure, confidence)
		_, _, err = AnswersWithConfidence(c, reader{fits: fits - 1}, nil, b, 4)
		assert.True(t, torch.LacksMemory(err), "%v", err)
	}
}

// Confidences stay with their answers however a batch is divided, and are products of probabilities.
func TestConfidenceInPieces(t *testing.T) {
	torchtest.Setup(t)
	defer torch.SetNumThreads(torch.NumThreads())
	torch.SetNumThreads(1)
	c := adsCorpus(t, model.Form{}, ownWords)
	b, err := data.ReadBatch(c.Split, []int{0, 1, 2})
	require.NoError(t, err)
	want, err := c.Answers(reader{fits: 3}, nil, b, 4)
	require.NoError(t, err)
	answers, confidence, err := AnswersWithConfidence(c, reader{fits: 1}, &torch.Pieces{Most: 3, What: "answers"}, b, 4)
	require.NoError(t, err)
	assert.Equal(t, want, answers)
	require.Len(t, confidence, 3)
	for p, questions := range c.Asked.Questions {
		require.Len(t, confidence[p], len(questions))
		for j, q := range questions {
			assert.InDelta(t, .5/float64(len(q.Prompt)), confidence[p][j], 1e-12)
		}
	}
	assert.Equal(t, [][]float64{{0, 1}}, products([][][]float64{{{0, math.NaN()}, nil}}), "logits that are no numbers are sure of nothing")
}
