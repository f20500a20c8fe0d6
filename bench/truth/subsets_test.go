package truth

import (
	"math/bits"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model/modeltest"
	"espalier/pipeline/config"
	"espalier/pruning"
	"espalier/torch/nn"
	"espalier/torch/torchtest"
)

// Every subset comes once, its units in ascending order.
func TestSubsetsAreComplete(t *testing.T) {
	for n := 2; n <= 7; n++ {
		for k := 1; k < n; k++ {
			want := map[string]bool{}
			for bit := range 1 << n {
				if bits.OnesCount(uint(bit)) == k {
					key := make([]byte, n)
					for u := range n {
						key[u] = "01"[bit>>u&1]
					}
					want[string(key)] = true
				}
			}
			got := subsets(n, k, 1000)
			require.Len(t, got, len(want), "%d of %d", k, n)
			for _, s := range got {
				assert.IsIncreasing(t, append([]int{-1}, s...))
				key := make([]byte, n)
				for u := range n {
					key[u] = '0'
				}
				for _, u := range s {
					key[u] = '1'
				}
				assert.True(t, want[string(key)], "%v", s)
				delete(want, string(key))
			}
			assert.Empty(t, want)
		}
	}
	assert.Len(t, subsets(30, 15, 7), 7)
}

// The oracle's subset, the choices of scores and their ranks, on made-up qualities of three subsets of one unit.
func TestOracleIsJudged(t *testing.T) {
	torchtest.Setup(t)
	var axis *nn.Axis
	for _, a := range config.AxesOf([]nn.Kind{nn.Heads}, modeltest.RefTiny(t)) {
		if a.Units() >= 3 && a.Multiple() == 1 {
			axis = a
		}
	}
	require.NotNil(t, axis)
	n := axis.Units()
	o := &Oracle{Keep: 1}
	for u, q := range []struct{ cut, trained, accuracy float64 }{{3, .2, .9}, {1, .3, .9}, {2, .1, .8}} {
		o.Subsets = append(o.Subsets, Subset{[]int{u}, Quality{CrossEntropy: q.cut}, Quality{CrossEntropy: q.trained, Accuracy: q.accuracy}})
	}
	scores := make([]float64, n)
	scores[2] = 1
	s := &scored{ways: []config.Candidate{{Criterion: "magnitude"}, {Criterion: "cosine"}}, by: map[string]pruning.Scores{"magnitude": {axis.Name: scores}, "cosine": {}}}
	require.NoError(t, o.judge(axis, s))
	assert.Equal(t, Choice{"oracle", 1, 1, 3, 1}, o.Oracle)
	assert.Equal(t, []Choice{{"magnitude", 2, 2, 1, 3}}, o.Choices)
	assert.Equal(t, 1., o.BeatLoss)
	assert.Zero(t, o.BeatAccuracy)
	assert.InDelta(t, -1./3, *o.TauLoss, 1e-12)
	assert.InDelta(t, 0, *o.TauWrong, 1e-12) // one pair each way, and one of equals
}
