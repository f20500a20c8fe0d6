package corpus

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/torch/torchtest"
)

// The ids of askedCorpus are <pad>, <eos>, <unk>, "what is it this time" as 3 to 7, and "red" as 8.
func TestTokensThatStay(t *testing.T) {
	torchtest.Setup(t)
	c := askedCorpus(t, 2, 1)
	const vocabulary = 20 // rows without words behind
	all, err := c.Asked.Tokens(c.Words.Answers, vocabulary, 0, []int{15})
	require.NoError(t, err)
	assert.Equal(t, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, all, "filled up to a multiple of 8")

	c.Asked.Questions[0][0].Prompt = []int{7, 7, 6}
	few, err := c.Asked.Tokens(c.Words.Answers, vocabulary, 6, nil)
	require.NoError(t, err)
	assert.Equal(t, []int{0, 1, 2, 6, 7, 8}, few, "special words, the answer, then the most frequent")
	more, err := c.Asked.Tokens(c.Words.Answers, vocabulary, 12, nil)
	require.NoError(t, err)
	assert.Equal(t, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, more)
	_, err = c.Asked.Tokens(c.Words.Answers, vocabulary, 3, nil)
	assert.EqualError(t, err, "keep.vocabulary: 3 tokens are too few: the answers of the training split, the special tokens and what any text can be spelled with are 4; keep as many at least")
}

func TestOverReadsInItsOwnIDs(t *testing.T) {
	torchtest.Setup(t)
	c := askedCorpus(t, 1, 2)
	own := c.Asked.Questions[1][1]
	own.Answer = []int{6, 1} // the teacher's own word
	c.Asked.Questions[1][1], c.Asked.Own[1][1] = own, true
	cut, respelled, err := c.Over([]int{0, 1, 2, 3, 4, 5, 6, 7, 8}, model.Form{Start: 1})
	require.NoError(t, err)
	assert.Zero(t, respelled)
	assert.Equal(t, c.Asked.Questions, cut.Asked.Questions)
	assert.NotEqual(t, c.Print(), cut.Print())

	cut, respelled, err = c.Over([]int{0, 1, 2, 6, 7, 8, 15}, model.Form{Start: 1})
	require.NoError(t, err)
	assert.Equal(t, 3, respelled, "three words of each question are unknown now")
	assert.Equal(t, model.Question{Prompt: []int{2, 2, 2, 3, 4}, Answer: []int{5, 1}}, cut.Asked.Questions[0][0])
	assert.Equal(t, []int{3, 1}, cut.Asked.Questions[1][1].Answer, "the teacher's answer, numbered anew")
	assert.Equal(t, 1, cut.Form.Start)

	c.Asked.Questions[0][0].Prompt = []int{7, 6, 5, 4, 3} // not what the tokenizer gives
	_, _, err = c.Over([]int{0, 1, 2, 3, 4, 5, 6, 7, 8}, model.Form{})
	assert.ErrorContains(t, err, "and the cut tokenizer gives [3 4 5 6 7]")
}
