package measure

import (
	"context"
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

// Work that holds the machine for some rounds takes nothing from a rate, and the first time, which allocates, does not count.
func TestTheQuickestRoundCounts(t *testing.T) {
	times := 0
	rate, err := Rate(t.Context(), 20*time.Millisecond, time.Hour, func() error {
		wait := 4 * time.Millisecond
		if times == 0 || times > 20 {
			wait = 100 * time.Millisecond
		}
		times++
		time.Sleep(wait)
		return nil
	})
	require.NoError(t, err)
	assert.Greater(t, rate, 12., "a slow round gives 10")
	assert.LessOrEqual(t, rate, 250.)
	assert.GreaterOrEqual(t, times, 1+MostRounds)

	times = 0
	_, err = Rate(t.Context(), 0, 0, func() error { times++; return nil })
	require.NoError(t, err)
	assert.Equal(t, 2, times, "one round of a slow network")
	_, err = Rate(t.Context(), 0, time.Hour, func() error { return errors.New("stopped") })
	assert.ErrorContains(t, err, "stopped")
	ctx, stop := context.WithCancel(t.Context())
	_, err = Rate(ctx, 0, time.Hour, func() error { stop(); return nil })
	assert.ErrorIs(t, err, context.Canceled)
}
