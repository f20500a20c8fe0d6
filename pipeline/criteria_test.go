package pipeline

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"espalier/pipeline/config"
	"espalier/pipeline/runtest"
	"espalier/pruning"
)

// A configuration may name every criterion that there is, and is told which take blocks alone.
func TestEveryCriterionCanBeConfigured(t *testing.T) {
	for _, name := range pruning.Criteria() {
		_, err := config.Parse("tiny.toml", runtest.Tiny, "stage.blocks.criterion="+name)
		assert.NoError(t, err, name)
		_, err = config.Parse("tiny.toml", runtest.Tiny, "stage.hidden.criterion="+name, "stage.hidden.loss=margin")
		assert.Equal(t, slices.Contains(config.BlocksOnly, name), err != nil, name)
	}
}
