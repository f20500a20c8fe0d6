package corpus

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/torch/torchtest"
)

// A training that goes on from any batch sees the same pictures, changed alike, also where batches without an answer of the
// data's are passed over.
func TestFeedGoesOnAnywhere(t *testing.T) {
	torchtest.Setup(t)
	c := askedCorpus(t, 1, 1, 1, 1, 1)
	for _, p := range []int{1, 3, 4} {
		c.Asked.Own[p][0] = true
	}
	for _, answered := range []bool{false, true} {
		whole := c.Feed(context.Background(), 2, 7, answered)
		whole.Vary.Noise = .5
		defer whole.Close()
		var want [][]int
		var pixels [][]uint8
		passed := false
		for n := range 12 {
			b, err := whole.Batch(n)
			require.NoError(t, err)
			again, err := whole.Batch(n)
			require.NoError(t, err)
			assert.Same(t, b, again, "it is not read twice")
			want, pixels = append(want, b.Index), append(pixels, b.Pixels)
			assert.True(t, !answered || c.Asked.Answered(b.Index...))
			passed = passed || !c.Asked.Answered(b.Index...)
		}
		assert.Equal(t, !answered, passed, "there are batches to pass over")
		for n := range want {
			f := c.Feed(context.Background(), 2, 7, answered)
			f.Vary.Noise = .5
			for k := n; k < len(want); k++ {
				b, err := f.Batch(k)
				require.NoError(t, err)
				assert.Equal(t, want[k], b.Index, "batch %d of a feed from %d on", k, n)
				assert.Equal(t, pixels[k], b.Pixels, "batch %d of a feed from %d on", k, n)
			}
			b, err := f.Batch(0) // as a step does that is tried again
			require.NoError(t, err)
			assert.Equal(t, want[0], b.Index)
			f.Close()
		}
		assert.NotEqual(t, pixels[0], pixels[5], "in another epoch a picture is changed anew")
	}
}

// A feed that would look for an answer for ever says so.
func TestFeedWithoutAnswers(t *testing.T) {
	torchtest.Setup(t)
	c := askedCorpus(t, 1, 1, 1)
	for p := range 3 {
		c.Asked.Own[p][0] = true
	}
	f := c.Feed(context.Background(), 2, 7, true)
	defer f.Close()
	_, err := f.Batch(0)
	assert.ErrorContains(t, err, "no training picture has an answer in the data")
}

// The pieces of a batch are its pictures, in order; one that nothing is learnt from is left out.
func TestPieces(t *testing.T) {
	torchtest.Setup(t)
	c := askedCorpus(t, 1, 1, 1, 1, 1)
	f := c.Feed(context.Background(), 5, 7, true)
	defer f.Close()
	for pieces := 1; pieces <= 8; pieces++ {
		var index []int
		var pixels []uint8
		for piece := range pieces {
			b, whole, err := f.Piece(0, piece, pieces)
			require.NoError(t, err)
			require.Len(t, whole.Index, 5)
			if b == nil {
				assert.Greater(t, pieces, 5)
				continue
			}
			assert.Len(t, b.Questions, len(b.Index))
			index, pixels = append(index, b.Index...), append(pixels, b.Pixels...)
		}
		whole, err := f.Batch(0)
		require.NoError(t, err)
		assert.Equal(t, whole.Index, index)
		assert.Equal(t, whole.Pixels, pixels)
	}
	whole, err := f.Batch(0)
	require.NoError(t, err)
	second := whole.Index[1]
	c.Asked.Own[second][0] = true
	b, _, err := f.Piece(0, 1, 5)
	require.NoError(t, err)
	assert.Nil(t, b)
	every := c.Feed(context.Background(), 5, 7, false)
	defer every.Close()
	b, _, err = every.Piece(0, 1, 5)
	require.NoError(t, err)
	assert.Equal(t, []int{second}, b.Index, "the teacher's word counts")
	c.Asked.Questions[second][0].Answer = nil
	b, _, err = every.Piece(0, 1, 5)
	require.NoError(t, err)
	assert.Nil(t, b)
}
