package pruning_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pruning"
	"espalier/torch/nn"
)

// Against all subsets: the choice follows the pattern, and none that does has a greater sum.
func TestChoosePattern(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		units, every := 1+r.IntN(9), 1+r.IntN(3)
		var a *nn.Axis
		_, err := nn.Declare(nil, func(b *nn.Builder) { a = b.Stack("layer", units) })
		require.NoError(t, err)
		scores := make([]float64, units)
		for i := range scores {
			scores[i] = r.Float64()
			group := 1
			if i%every == 0 {
				group = 0
			}
			a.SetGroup(i, group)
		}
		n := 1 + r.IntN(units)
		best := -1.
		for set := range 1 << units {
			sum, k, fits := 0., 0, true
			for u := range units {
				if set>>u&1 == 1 {
					fits = fits && (a.Groups()[u] == 0) == (k%every == 0)
					sum, k = sum+scores[u], k+1
				}
			}
			if fits && k == n {
				best = max(best, sum)
			}
		}
		kept, err := pruning.ChoosePattern(a, scores, n, every)
		require.NoError(t, err, "the first n always fit")
		require.Len(t, kept, n)
		sum := 0.
		for k, u := range kept {
			assert.Equal(t, a.Groups()[u] == 0, k%every == 0)
			assert.True(t, k == 0 || kept[k-1] < u)
			sum += scores[u]
		}
		assert.InDelta(t, best, sum, 1e-12)
	}
}
