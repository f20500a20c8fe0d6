package propose

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"espalier/model"
	"espalier/pipeline/config"
	"espalier/pipeline/stage"
)

// Rates fall with the width: from those of the examples to the one that suits a language model of 2.7 billion parameters.
func TestRates(t *testing.T) {
	assert.Equal(t, 2e-3, rateFor(nil))
	last := 1.
	for width, want := range map[int]float64{64: 2e-3, 128: 2e-3, 2560: 3e-5, 8192: 3e-5} {
		assert.Equal(t, want, rateFor(&Model{Config: &model.Config{Text: model.TextConfig{Hidden: width}}}), "%d", width)
	}
	for _, width := range []int{128, 256, 512, 768, 1024, 2048, 2560} {
		rate := rateFor(&Model{Config: &model.Config{Text: model.TextConfig{Hidden: width}}})
		assert.LessOrEqual(t, rate, last, "%d", width)
		last = rate
	}
}

// Pictures are seen in patches that fill them.
func TestPatchesFillThePicture(t *testing.T) {
	for _, side := range []int{1, 8, 24, 25, 32, 48, 64, 128, 224, 256, 500, 4000} {
		size := sizeFor(side)
		n := networkFor(size, true)
		assert.Zero(t, size%n.Vision.Patch, "%d", side)
		patches := size / n.Vision.Patch
		assert.LessOrEqual(t, patches*patches, 64, "%d", side)
	}
}

func TestBatchesAndSteps(t *testing.T) {
	for pictures, want := range map[int]int{1: 1, 7: 1, 8: 2, 40: 8, 127: 16, 128: 32, 1e6: 32} {
		assert.Equal(t, want, batchFor(pictures), "%d", pictures)
	}
	assert.Equal(t, 400, steps(400, 1258))
	assert.Equal(t, 300, steps(400, 10))
	assert.Equal(t, 1200, steps(400, 1e9))
}

// Where weights alone are too much, no batch helps: parts are not trained. Else batches go first, and blocks that are computed twice last.
func TestSmallerGoesForWhatHelps(t *testing.T) {
	c := &config.Config{Stages: config.Stages{config.DefaultStage()}, Importance: config.ImportanceConfig{Batch: 4}, Eval: config.EvalConfig{Batch: 4}}
	assert.True(t, Smaller(c, stage.Memory{Weights: 100}, 50))
	assert.Equal(t, 32, c.Stages[0].Distil.Batch)
	assert.NotEmpty(t, c.Stages[0].Distil.Freeze)
	assert.False(t, Smaller(c, stage.Memory{Weights: 100}, 50), "nothing is left")
	for batch := 16; batch >= 1; batch /= 2 {
		assert.True(t, Smaller(c, stage.Memory{Activations: 100}, 50))
		assert.Equal(t, batch, c.Stages[0].Distil.Batch)
		assert.Equal(t, 32/batch, c.Stages[0].Distil.Accumulate)
		assert.False(t, c.Recompute)
	}
	assert.True(t, Smaller(c, stage.Memory{Activations: 100}, 50))
	assert.True(t, c.Recompute)
	assert.False(t, Smaller(c, stage.Memory{Activations: 100}, 50))
}
