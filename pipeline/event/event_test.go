package event

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// The losses told are a running mean that begins with the first, and what was told stays as it was.
func TestSteps(t *testing.T) {
	var told []Progress
	step := Events(func(e Event) { told = append(told, e.(Progress)) }).Steps(3)
	for i, loss := range []float64{2, 4, 0} {
		step(i+1, loss)
	}
	for i, want := range []float64{2, 2.1, 1.995} {
		assert.Equal(t, []any{i + 1, 3, "steps"}, []any{told[i].Done, told[i].Total, told[i].Unit})
		assert.InDelta(t, want, *told[i].Loss, 1e-12)
	}
	Events(nil).Steps(1)(1, 1)
}
