package measure

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/prompt"
	"espalier/pipeline/corpus"
	"espalier/pipeline/data"
	"espalier/pipeline/report"
	"espalier/torch"
)

// drawn are eight drawn pictures with five questions each, as a network reads them.
func drawn(t *testing.T) *corpus.Corpus {
	t.Helper()
	set, err := data.Open(data.Config{Source: "ads", Size: 48, Train: 8, Validation: 1, Test: 1, OOD: 1})
	require.NoError(t, err)
	c, err := corpus.New(set.Train, corpus.Reading{Words: prompt.Words{Answers: set.Tokenizer}, Pre: model.AdsPreprocessor(48), On: torch.CPU})
	require.NoError(t, err)
	return c
}

// Each turn counts once under overall, its task, its category, and its task within that.
func TestFlips(t *testing.T) {
	split := drawn(t).Split
	other := 1 // a picture of another category
	for split.Questions(other)[0].Category == split.Questions(0)[0].Category {
		other++
	}
	teacher, student := Marks{Right: make([]string, other+1)}, Marks{Right: make([]string, other+1)}
	teacher.Right[0], student.Right[0] = "11100", "01110"
	teacher.Right[other], student.Right[other] = "11111", "11110"
	all, byCategory := flips(split, teacher, student)
	task := func(p, j int) string { return split.Questions(p)[j].Task }
	want := map[string]report.Flips{report.Overall: {RightToWrong: 2, WrongToRight: 1, Questions: 10}}
	add := func(to map[string]report.Flips, p, j, wrong, right int) {
		f := to[task(p, j)]
		to[task(p, j)] = report.Flips{RightToWrong: f.RightToWrong + wrong, WrongToRight: f.WrongToRight + right, Questions: f.Questions + 1}
	}
	first := map[string]report.Flips{report.Overall: {RightToWrong: 1, WrongToRight: 1, Questions: 5}}
	for _, p := range []int{0, other} {
		for j := range 5 {
			wrong, right := 0, 0
			switch {
			case p == 0 && j == 0, p == other && j == 4:
				wrong = 1
			case p == 0 && j == 3:
				right = 1
			}
			add(want, p, j, wrong, right)
			if p == 0 {
				add(first, p, j, wrong, right)
			}
		}
	}
	assert.Equal(t, want, all)
	assert.Equal(t, first, byCategory[split.Questions(0)[0].Category])
	assert.Len(t, byCategory, 2)

	before, _ := teacher.Accuracy(split)
	after, _ := student.Accuracy(split)
	for key, f := range all {
		assert.InDelta(t, after[key]-before[key], float64(f.WrongToRight-f.RightToWrong)/float64(f.Questions), 1e-12, key)
	}
}

// Lengths are those of the right answers in tokens, whatever the network said; pictures that were not asked about do not count.
func TestAccuracyByLength(t *testing.T) {
	c := drawn(t)
	for j, n := range []int{1, 3, 1, 2, 3} {
		c.Asked.Questions[0][j].Answer = make([]int, n+1) // with the end
	}
	got := Marks{Right: []string{"10101", ""}}.byLength(c)
	assert.Equal(t, []report.LengthAccuracy{{Tokens: 1, Questions: 2, Accuracy: 1}, {Tokens: 2, Questions: 1, Accuracy: 0}, {Tokens: 3, Questions: 2, Accuracy: .5}}, got)
}
