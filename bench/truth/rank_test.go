package truth

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

// The taus are those of scipy's documentation, as is the first rho; the others are worked out by hand.
func TestRankCorrelations(t *testing.T) {
	for _, c := range []struct {
		x, y              []float64
		spearman, kendall float64
	}{
		{[]float64{1, 2, 3, 4, 5}, []float64{5, 6, 7, 8, 7}, .8207826816681233, .7378647873726218},
		{[]float64{12, 2, 1, 12, 2}, []float64{1, 4, 7, 1, 0}, -5 / math.Sqrt(85.5), -.4714045207910316},
		{[]float64{1, 2, 3, 4}, []float64{10, 20, 40, 30}, .8, 2. / 3},
		{[]float64{3, 1, 2}, []float64{-3, -1, -2}, -1, -1},
	} {
		assert.InDelta(t, c.spearman, Spearman(c.x, c.y), 1e-12)
		assert.InDelta(t, c.kendall, Kendall(c.x, c.y), 1e-12)
		assert.InDelta(t, c.kendall, Kendall(c.y, c.x), 1e-12)
	}
	for _, f := range []func(x, y []float64) float64{Spearman, Kendall} {
		assert.True(t, math.IsNaN(f([]float64{1, 1, 1}, []float64{1, 2, 3})), "a constant side ranks nothing")
		assert.True(t, math.IsNaN(f([]float64{1}, []float64{1})))
		assert.True(t, math.IsNaN(f(nil, nil)))
	}
}

// Knight's way counts what the definition counts, with many equal values on both sides.
func TestKendallByItsDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for n := 2; n < 40; n++ {
		x, y := make([]float64, n), make([]float64, n)
		for i := range x {
			x[i], y[i] = float64(r.IntN(n)), float64(r.IntN(6))
		}
		var agree, differentX, differentY float64
		for i := range x {
			for j := range i {
				a, b := x[i]-x[j], y[i]-y[j]
				switch {
				case a*b > 0:
					agree++
				case a*b < 0:
					agree--
				}
				if a != 0 {
					differentX++
				}
				if b != 0 {
					differentY++
				}
			}
		}
		want := agree / math.Sqrt(differentX*differentY)
		if math.IsNaN(want) {
			assert.True(t, math.IsNaN(Kendall(x, y)))
			continue
		}
		assert.InDelta(t, want, Kendall(x, y), 1e-12)
	}
}
