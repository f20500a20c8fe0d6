package pipeline

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/torch/torchtest"
)

// A bound that cuts the data's answers off is refused; one that leaves no room for the end is noted.
func TestAnswersLongerThanTheBound(t *testing.T) {
	torchtest.Setup(t)
	root := dataFolder(t, plainSplits())
	assert.Equal(t, `data: 6 of 12 validation answers need up to 4 tokens (the end included), eval.max_answer_tokens is 2; `+
		`first: validation/metadata.jsonl:1 "it is red"; set eval.max_answer_tokens = 4
data: 4 of 8 test answers need up to 4 tokens (the end included), eval.max_answer_tokens is 2; `+
		`first: test/metadata.jsonl:1 "it is red"; set eval.max_answer_tokens = 4`, faultOf(t, root, smallRun, "eval.max_answer_tokens=2"))
	r, notes, err := runOn(t, root, smallRun, "eval.max_answer_tokens=3")
	require.NoError(t, err)
	require.NotNil(t, r)
	assert.Contains(t, notes, "4 of 8 test answers take all of eval.max_answer_tokens = 3, so nothing is seen of what a network says after them; "+
		"set eval.max_answer_tokens = 4")
	_, notes, err = runOn(t, root, smallRun, "eval.max_answer_tokens=4")
	require.NoError(t, err)
	assert.NotContains(t, strings.Join(notes, "\n"), "max_answer_tokens")

	splits := plainSplits()
	for i := range splits["validation"] { // a full stop is not part of an answer, and of several answers the shortest will do
		splits["validation"][i].answer = []string{"it is red by and large", "by red ."}
	}
	splits["train"][1].answer = "a very very large square" // learnt at its full length
	splits["test"] = splits["test"][1:2]
	splits["ood"] = []dataRow{{picture: 77, question: "which shape", answer: "it is a very very very large square"}}
	root = dataFolder(t, splits)
	assert.Equal(t, `data: 1 of 1 ood answers need up to 9 tokens (the end included), eval.max_answer_tokens is 2; `+
		`first: ood/metadata.jsonl:1 "it is a very very very large square"; set eval.max_answer_tokens = 9`,
		faultOf(t, root, smallRun, "eval.max_answer_tokens=2"))
}
