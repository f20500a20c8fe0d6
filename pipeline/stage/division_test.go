package stage

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"espalier/pipeline/report"
)

// Chance chooses nothing: the first division goes on unless another is clearly better, or as good and clearly less deep.
func TestBestDivision(t *testing.T) {
	type tried struct {
		accuracy float64
		depth    int
	}
	for _, c := range []struct {
		what string
		all  []tried
		want int
	}{
		{"a little better", []tried{{.30, 6}, {.31, 6}}, 0},
		{"clearly better", []tried{{.30, 6}, {.33, 6}}, 1},
		{"better and deeper", []tried{{.30, 6}, {.33, 9}}, 0},
		{"far better and deeper", []tried{{.30, 6}, {.35, 9}}, 1},
		{"as good and less deep", []tried{{.30, 6}, {.30, 4}}, 1},
		{"as good and hardly less deep", []tried{{.30, 20}, {.305, 19}}, 0},
		{"less deep and worse", []tried{{.30, 6}, {.29, 3}}, 0},
		{"better each time", []tried{{.30, 6}, {.33, 6}, {.36, 6}}, 2},
		{"where the target is a time, depth is none", []tried{{.30, 0}, {.31, 0}}, 0},
	} {
		var all []*Division
		for _, a := range c.all {
			all = append(all, &Division{Report: report.Division{AccuracyShort: &a.accuracy}, Depth: a.depth})
		}
		assert.Equal(t, c.want, bestDivision(all), c.what)
	}
}
