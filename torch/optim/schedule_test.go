package optim_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch/optim"
)

func TestWarmupCosine(t *testing.T) {
	s := optim.WarmupCosine(110, 10/110., .1)
	require.InDelta(t, .1, s(0), 1e-12, "the first step already learns")
	require.InDelta(t, .5, s(4), 1e-12)
	require.InDelta(t, 1, s(9), 1e-12)
	require.InDelta(t, 1, s(10), 1e-12)
	require.InDelta(t, .1+.9*.5, s(60), 1e-12, "half way down")
	require.InDelta(t, .1+.9*.5*(1+math.Cos(.75*math.Pi)), s(85), 1e-12)
	require.InDelta(t, .1, s(110), 1e-12)
	require.InDelta(t, .1, s(500), 1e-12, "and stays there")
	for i := 11; i < 110; i++ {
		require.Less(t, s(i), s(i-1))
	}
}

func TestWarmupCosineOfFewSteps(t *testing.T) {
	for _, steps := range []int{0, 1, 2} {
		s := optim.WarmupCosine(steps, .1, 0)
		require.Equal(t, 1., s(0), "at least one step of warm-up, which is at full rate")
		for i := range 4 {
			require.False(t, math.IsNaN(s(i)) || s(i) < 0 || s(i) > 1)
		}
	}
	all := optim.WarmupCosine(4, 1, 0)
	require.Equal(t, []float64{.25, .5, .75, 1}, []float64{all(0), all(1), all(2), all(3)})
}

func TestConstant(t *testing.T) {
	require.Equal(t, 1., optim.Constant()(12345))
}
