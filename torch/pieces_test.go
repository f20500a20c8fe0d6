package torch_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

// Batches are divided from the one on that is too large, and not further than they can be; an earlier attempt's pieces are
// taken again.
func TestPiecesGrow(t *testing.T) {
	torchtest.Setup(t)
	var notes []string
	p := &torch.Pieces{Most: 6, What: "answers", Note: func(text string) { notes = append(notes, text) }}
	run := func(batch, fits int) (tried []int, err error) {
		return tried, p.Do(batch, func(pieces int) error {
			tried = append(tried, pieces)
			return torch.Run(func(*torch.Scope) error {
				if 8/pieces > fits {
					return fmt.Errorf("forward: %w", &torch.Error{Op: "matmul", Kind: torch.KindMemory, Message: "no room for 64 bytes"})
				}
				return nil
			})
		})
	}
	for _, step := range []struct {
		batch, fits int
		want        []int
	}{{0, 8, []int{1}}, {3, 2, []int{1, 2, 4}}, {4, 2, []int{4}}, {2, 8, []int{1}}, {5, 1, []int{4, 6}}} {
		tried, err := run(step.batch, step.fits)
		require.NoError(t, err)
		assert.Equal(t, step.want, tried, "batch %d", step.batch)
	}
	assert.Equal(t, []torch.Growth{{From: 3, Pieces: 2}, {From: 3, Pieces: 4}, {From: 5, Pieces: 6}}, p.Grown)
	require.Len(t, notes, 3)
	assert.Contains(t, notes[1], "answers: there is not enough memory (forward: torch: matmul: no room for 64 bytes): batches are computed in 4 pieces from number 4 on")

	_, err := run(6, 0)
	var short *torch.OutOfMemory
	require.ErrorAs(t, err, &short)
	assert.ErrorContains(t, err, "there is not enough memory for answers, a batch in 6 pieces: forward: torch: matmul: no room for 64 bytes")
	assert.False(t, torch.LacksMemory(err), "smaller pieces do not help")

	tried, other := 0, errors.New("other")
	assert.Equal(t, other, p.Do(0, func(int) error { tried++; return other }))
	assert.Equal(t, 1, tried)

	var none *torch.Pieces
	lacks := &torch.Error{Kind: torch.KindMemory}
	assert.Equal(t, error(lacks), none.Do(0, func(pieces int) error { assert.Equal(t, 1, pieces); return lacks }))
}
