package truth

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A score that is right within each axis, but counts one axis ten times, agrees within the axes and not in the pool. One that is the
// negative of the truth agrees with nothing, and halves that see the same agree entirely.
func TestAgreementsWithinAndPooled(t *testing.T) {
	whole := []heard{{tokens: 1, questions: 1}, {tokens: 3, questions: 1}}
	var units []Unit
	var without [][]heard
	for axis := range 2 {
		for u := range 12 {
			change := float64(u + 1)
			right := change
			if axis == 1 {
				right *= 100
			}
			units = append(units, Unit{Axis: fmt.Sprint("ffn ", axis), Kind: "ffn", Tower: []string{"vision", "language"}[axis], Unit: u,
				Change: Quality{CrossEntropy: change, Margin: -change},
				Scores: map[string]float64{"right": right, "wrong": -change, "blind": 1}})
			without = append(without, []heard{{tokens: 1, questions: 1, crossEntropy: change, margin: -change},
				{tokens: 3, questions: 1, crossEntropy: 3 * change, margin: -3 * change}})
		}
	}
	found := map[string]Agreement{}
	for _, a := range agreements(units, whole, without, 100, 5) {
		found[a.Tower+"/"+a.Way+"/"+a.Change] = a
		assert.Equal(t, "ffn", a.Kind)
	}
	require.Len(t, found, 3*4*4) // all towers and each, three scores and the halves, two losses and their sizes
	one := &Estimate{1, 1, 1}
	right := found["/right/cross-entropy"]
	assert.Equal(t, 2, right.Axes)
	assert.Equal(t, 24, right.Units)
	assert.Equal(t, one, right.WithinSpearman)
	assert.Equal(t, one, right.WithinKendall)
	assert.Less(t, right.PooledSpearman.High, .9)
	assert.Less(t, right.PooledSpearman.Low, right.PooledSpearman.Value)
	assert.Less(t, right.PooledKendall.Value, right.PooledKendall.High)
	assert.Equal(t, &Estimate{-1, -1, -1}, found["/right/margin"].WithinSpearman)
	assert.Equal(t, one, found["/right/margin, size"].WithinSpearman)
	assert.Equal(t, 12, found["vision/right/cross-entropy"].Units)
	assert.Equal(t, one, found["language/right/cross-entropy"].PooledKendall)
	assert.Equal(t, &Estimate{-1, -1, -1}, found["/wrong/cross-entropy"].PooledSpearman)
	assert.Nil(t, found["/blind/cross-entropy"].WithinSpearman)
	assert.Equal(t, one, found["/"+Half+"/margin"].PooledSpearman)
	assert.Equal(t, agreements(units, whole, without, 100, 5), agreements(units, whole, without, 100, 5))
}
