package measure

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTokenMarks(t *testing.T) {
	learnt := []int{5, 6, 7}
	for _, c := range []struct {
		said     []int
		accepted bool
		want     string
	}{
		{[]int{5, 6, 7}, true, "1111"},
		{[]int{5, 9, 7}, false, "1011"},
		{[]int{5, 6}, false, "1100"},          // ended too early
		{[]int{5, 6, 7, 8}, false, "1110"},    // did not end
		{[]int{6, 5, 6, 7}, false, "0000"},    // places count, not an alignment
		{nil, false, "0000"},                  // said nothing
		{[]int{9, 9, 9, 9, 9}, true, "1111"},  // another accepted answer
		{[]int{9, 9, 9, 9, 9}, false, "0000"}, // longer, and all wrong
	} {
		assert.Equal(t, c.want, tokenMarks(learnt, c.said, c.accepted), "%v", c.said)
	}
	assert.Equal(t, "1", tokenMarks(nil, nil, false))
}

func TestPositionsOfMarks(t *testing.T) {
	m := Marks{Tokens: []string{"111 101 ", "", "011 "}}
	assert.Equal(t, 3, m.Positions().Answers)
	assert.Nil(t, Marks{Tokens: []string{"11 ", "01 "}}.Positions())
}
