package stage

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"espalier/pipeline/report"
)

// Chance chooses nothing: the first division goes on unless another is clearly better, or as good and clearly faster.
func TestBestDivision(t *testing.T) {
	type tried struct{ accuracy, ms float64 }
	for _, c := range []struct {
		what string
		all  []tried
		want int
	}{
		{"a little better", []tried{{.30, 1}, {.31, 1}}, 0},
		{"clearly better", []tried{{.30, 1}, {.33, 1.05}}, 1},
		{"better and slower", []tried{{.30, 1}, {.33, 2}}, 0},
		{"far better and slower", []tried{{.30, 1}, {.35, 2}}, 1},
		{"as good and faster", []tried{{.30, 1}, {.30, .8}}, 1},
		{"as good and hardly faster", []tried{{.30, 1}, {.305, .95}}, 0},
		{"faster and worse", []tried{{.30, 1}, {.29, .5}}, 0},
		{"better each time", []tried{{.30, 1}, {.33, 1}, {.36, 1}}, 2},
	} {
		var all []*Division
		for _, a := range c.all {
			all = append(all, &Division{Report: report.Division{AccuracyShort: &a.accuracy, LatencyMS: a.ms}})
		}
		assert.Equal(t, c.want, bestDivision(all), c.what)
	}
}
