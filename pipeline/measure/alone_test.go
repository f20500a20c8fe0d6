package measure

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is recorded at the first question of its kind is no answer's time.
func TestFirstAnswersOfAKindAreNotTimed(t *testing.T) {
	kind := func(i int) int { return i % 3 }
	first := FirstOf(2, 5, kind)
	assert.Equal(t, []int{2, 3, 4}, first)
	recorded := map[int]bool{}
	var asked []int
	l, err := Alone(context.Background(), Rounds{Warmup: 2, First: first, Runs: 5}, func(i int) (time.Duration, error) {
		asked = append(asked, i)
		took := time.Millisecond
		if !recorded[kind(i)] {
			took *= 100
		}
		recorded[kind(i)] = true
		return took, nil
	})
	require.NoError(t, err)
	assert.Equal(t, []int{0, 1, 2, 3, 4, 2, 3, 4, 5, 6}, asked)
	assert.Equal(t, 1., l.P50)
	assert.Equal(t, 1., l.P99)
}
