package corpus

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/prompt"
	"espalier/pipeline/data"
	"espalier/pipeline/datatest"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// adsCorpus is drawn pictures, each with five questions, as a network reads them.
func adsCorpus(t *testing.T, form model.Form, words func(*data.Dataset) prompt.Words) *Corpus {
	t.Helper()
	set, err := data.Open(data.Config{Source: "ads", Size: 48, Train: 3, Validation: 1, Test: 1, OOD: 1})
	require.NoError(t, err)
	c, err := New(set.Train, Reading{Words: words(set), Pre: model.AdsPreprocessor(48), Form: form, On: torch.CPU})
	require.NoError(t, err)
	return c
}

func ownWords(set *data.Dataset) prompt.Words { return prompt.Words{Answers: set.Tokenizer} }

// askedCorpus is black pictures with so many questions each, of five tokens and an answer.
func askedCorpus(t *testing.T, questions ...int) *Corpus {
	t.Helper()
	var rows []datatest.Row
	for i, n := range questions {
		row := datatest.Row{Picture: fmt.Sprint(i, ".png"), Question: "what is it this time", Answer: "red"}
		rows = append(rows, slices.Repeat([]datatest.Row{row}, n)...)
	}
	set := datatest.Black(t, rows...)
	c, err := New(set.Train, Reading{Words: ownWords(set), Pre: model.AdsPreprocessor(8), On: torch.CPU})
	require.NoError(t, err)
	return c
}

func TestDivide(t *testing.T) {
	torchtest.Setup(t)
	c := askedCorpus(t, 3, 60, 4)
	require.Equal(t, 16+60*6, c.Form.Tokens(16, c.Asked.Questions[1]), "six tokens a question")
	note := c.Divide(0, 16, 4) // to 96 tokens, 13 questions
	assert.Contains(t, note, "train split: 1 of 3 pictures have more questions than fit into 96 tokens (most: ")
	assert.Contains(t, note, "metadata.jsonl:4, 60 questions, 376 tokens)")
	assert.Contains(t, note, "each of their 5 parts")
	var sizes []int
	for i, qs := range c.Asked.Questions {
		sizes = append(sizes, len(qs))
		assert.Len(t, c.Split.Questions(i), len(qs))
		assert.Len(t, c.Asked.Own[i], len(qs))
	}
	assert.Equal(t, []int{3, 13, 13, 13, 13, 8, 4}, sizes)

	first, asked, err := data.First(c.Split, 2)
	require.NoError(t, err)
	assert.Equal(t, []int{0, 1, 2, 3, 4, 5}, first.Index, "throughput is that of whole pictures")
	assert.Equal(t, 63, asked)

	for _, whole := range []struct {
		asked []int
		limit int
	}{{[]int{20, 21, 20}, 0}, {[]int{1, 60, 1}, 376}} {
		c := askedCorpus(t, whole.asked...)
		assert.Empty(t, c.Divide(whole.limit, 16, 4))
		assert.Equal(t, c.Split.Parts().Pictures(), c.Split.Len())
	}

	c = askedCorpus(t, 2, 3)
	require.NotEmpty(t, c.Divide(10, 16, 4))
	assert.Len(t, c.Asked.Questions, 5, "a question that is too long stands alone")

	c = askedCorpus(t, 2)
	for i := range c.Asked.Questions[0] {
		c.Asked.Questions[0][i].Answer = nil
	}
	assert.NotEmpty(t, c.Divide(16+2*9-1, 16, 4), "an answer that is still to come takes its room")
	assert.Nil(t, c.Asked.Questions[0][0].Answer)
}

func TestChosenRowTokens(t *testing.T) {
	assert.Equal(t, fewestRowTokens, chosenRowTokens([]int{20, 20, 7000}))
	assert.Equal(t, 150, chosenRowTokens([]int{7000, 100, 20}))
	assert.Equal(t, mostRowTokens, chosenRowTokens([]int{7000}))
}

// What is divided in another way has other batches, and so another print.
func TestPrintKnowsParts(t *testing.T) {
	torchtest.Setup(t)
	print := func(limit int) any {
		c := adsCorpus(t, model.Form{}, ownWords)
		c.Divide(limit, 16, 4)
		return c.Print()
	}
	assert.Equal(t, print(0), print(1000), "nothing was divided")
	assert.NotEqual(t, print(0), print(40))
	assert.NotEqual(t, print(30), print(40))
	open := adsCorpus(t, model.Form{}, ownWords)
	before := open.Print()
	open.Asked.Questions[0][0].Answer = nil
	open.Complete([][]int{{3}})
	assert.NotEqual(t, before, open.Print())
}
