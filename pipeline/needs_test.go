package pipeline

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// Questions that the table of positions does not hold are named with their lines, and the remedy is one that the run has.
func TestQuestionsLongerThanThePositions(t *testing.T) {
	torchtest.Setup(t)
	splits := plainSplits()
	teacher := smallTeacher(t, dataFolder(t, splits))
	long := "what colour is it" + strings.Repeat(" colour", 8) // 12 words, 2 queries, 3 words of the answer
	splits["train"][4].question = long
	root := dataFolder(t, splits)
	assert.Equal(t, "data: train/metadata.jsonl:5: the question needs 17 positions (2 for the picture, 12 for the question, 3 for its answer), "+
		"the language model has 16; shorten it or leave it out", faultOf(t, root, loaded(teacher)))
	assert.Equal(t, "data: train/metadata.jsonl:5: the question needs 17 positions (2 for the picture, 12 for the question, 3 for its answer), "+
		"the language model has 16; shorten it or leave it out, or raise teacher.train.language.positions to 17", faultOf(t, root, smallRun))
	_, _, err := runOn(t, root, smallRun, "teacher.train.language.positions=17")
	require.NoError(t, err, "the remedy helps")

	for i := range splits["test"] {
		splits["test"][i].question = long + " colour"
	}
	splits["test"][1].question = long + " colour colour"
	lines := strings.Split(faultOf(t, dataFolder(t, splits), loaded(teacher)), "\n")
	require.Len(t, lines, 4, "a few lines and the number of the others")
	assert.Contains(t, lines[1], "data: test/metadata.jsonl:1: ")
	assert.Equal(t, "data: and 6 questions more, of which the longest needs 19", lines[3])

	// A prompt counts.
	framed := loaded(teacher)
	splits = plainSplits()
	fault := faultOf(t, dataFolder(t, splits), framed, "data.prompt=what colour is it what colour is it {question} is")
	assert.Contains(t, fault, "data: train/metadata.jsonl:1: the question needs 18 positions (2 for the picture, 13 for the question with data.prompt, 3 for its answer)")
}

// What is generated must fit as well: a network that was just cut may not stop before it has to.
func TestGenerationWithinThePositions(t *testing.T) {
	torchtest.Setup(t)
	root := dataFolder(t, plainSplits())
	teacher := smallTeacher(t, root)
	assert.Equal(t, "data: the picture's 2 tokens, the longest question's 4 and the 12 that an answer may have need 17 positions, "+
		"the language model has 16; set eval.max_answer_tokens = 11", faultOf(t, root, loaded(teacher), "eval.max_answer_tokens=12"))
	r, _, err := runOn(t, root, loaded(teacher), "eval.max_answer_tokens=11")
	require.NoError(t, err, "the remedy helps")
	require.NotNil(t, r)
	assert.Contains(t, faultOf(t, root, smallRun, "eval.max_answer_tokens=12"), "set eval.max_answer_tokens = 11, or raise teacher.train.language.positions to 17")

	// A training question without an answer takes the teacher's, with an end.
	splits := plainSplits()
	splits["train"][0].answer = nil
	assert.Contains(t, faultOf(t, dataFolder(t, splits), loaded(teacher), "eval.max_answer_tokens=11"), "set eval.max_answer_tokens = 10")
}

// The table's last position can be used and the next one cannot: what checkPositions reckons is what the network does.
func TestPositionsAreReckonedAsTheNetworkDoes(t *testing.T) {
	torchtest.Setup(t)
	root := dataFolder(t, plainSplits())
	m, err := model.Load(smallTeacher(t, root), torch.CPU)
	require.NoError(t, err)
	defer m.Store().Free()
	generate := func(tokens int) error {
		return torch.Run(func(*torch.Scope) error {
			_, err := m.Generate(torch.Zeros([]int{1, 3, 8, 8}, torch.Float32, torch.CPU), [][]model.Question{{{Prompt: []int{3, 4, 5, 6}}}},
				model.GenerateOptions{MaxTokens: tokens, MinTokens: tokens, Ends: []int{1}})
			return err
		})
	}
	require.NoError(t, generate(11))
	require.ErrorContains(t, generate(12), "longer than the language model's 16 positions")
}
