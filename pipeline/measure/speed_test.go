package measure

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/report"
)

// Each round asks the same questions, and the one with the least median counts: the one in which other work held the machine does not.
func TestTheQuietRoundCounts(t *testing.T) {
	var asked []int
	answer := func(i int) (time.Duration, error) {
		round := (len(asked) - 2) / 3
		asked = append(asked, i)
		return time.Duration(i) * time.Millisecond * time.Duration(1+(round+3)%4), nil
	}
	got, err := Alone(t.Context(), Rounds{Warmup: 2, Runs: 3, Span: time.Hour}, answer)
	require.NoError(t, err)
	assert.Equal(t, report.Latency{P50: 3, P99: 4, Batch: 1}, got)
	assert.Equal(t, []int{0, 1, 2, 3, 4, 2, 3, 4}, asked[:8])
	assert.Len(t, asked, 2+3*MostRounds)
}

// A network that takes longer than the span is asked for one round; what stops an answer stops all.
func TestSlowNetworksAreTimedOnce(t *testing.T) {
	asked := 0
	_, err := Alone(t.Context(), Rounds{Runs: 4}, func(int) (time.Duration, error) { asked++; return time.Second, nil })
	require.NoError(t, err)
	assert.Equal(t, 4, asked)
	_, err = Alone(t.Context(), Rounds{Runs: 4}, func(int) (time.Duration, error) { asked++; return 0, errors.New("stopped") })
	assert.ErrorContains(t, err, "stopped")
	assert.Equal(t, 5, asked)
}
