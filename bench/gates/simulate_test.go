package gates

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A world has the loss that it says, however its questions go together.
func TestDrawnAnswersHaveTheirLoss(t *testing.T) {
	for _, together := range []float64{0, .3, 1} {
		s := Setting{Pictures: 100_000, Questions: 5, Loss: .06, Won: .02, Together: together}
		var lost, teacher, student float64
		for _, o := range s.draw(rand.New(rand.NewPCG(1, 1))) {
			lost += (o.Teacher - o.Student) / 500_000
			teacher += o.Teacher / 500_000
			student += o.Student / 500_000
		}
		assert.InDelta(t, .06, lost, .005)
		assert.InDelta(t, .98, teacher, .005)
		assert.InDelta(t, .92, student, .005)
	}
}

// The simulation sees a method that does not keep its level: where half a point is lost in whole pictures, a bootstrap of a
// hundred says held each time that none of them was drawn.
func TestSimulationTellsMethodsApart(t *testing.T) {
	s := Setting{Pictures: 100, Questions: 5, Alpha: .005, Loss: .005, Together: 1}
	shares, err := Simulate(context.Background(), s, 400, 1)
	require.NoError(t, err)
	assert.Zero(t, shares[0].Held)
	assert.Zero(t, shares[0].Lost)
	assert.Greater(t, shares[1].Held, .4, "percentile bootstrap")
	again, err := Simulate(context.Background(), s, 400, 1)
	require.NoError(t, err)
	assert.Equal(t, shares, again)
}
