package config

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestGentler(t *testing.T) {
	s := DefaultStage()
	s.Name, s.Cuts, s.Distil.Steps = "hidden", 2, 30
	g := s.Gentler()
	assert.Equal(t, 4, g.Cuts)
	assert.Equal(t, 60, g.Distil.Steps)
	assert.Equal(t, 2, s.Cuts, "the stage itself stays")
	s.Retry = RetryConfig{Steps: 1, Cuts: 20}
	assert.Equal(t, 40, s.Gentler().Distil.Steps, "each cut needs a step")
	s.Distil.Steps = 0
	assert.Zero(t, s.Gentler().Distil.Steps)
}

// Half of a cut is half way between what a stage begins with and what it was to leave, rounded as shares are.
func TestHalfBack(t *testing.T) {
	c := parseSmall(t, "stage.hidden.keep={ language = 64 }")
	n, err := c.Teacher.Train.Declared(c.Data.Size)
	require.NoError(t, err)
	last := len(c.Stages) - 1
	half, ok := c.HalfBack(last, n, n)
	require.True(t, ok)
	hidden := n.Store().Axis("language_model.hidden")
	require.Equal(t, 128, hidden.Units())
	assert.Equal(t, 96, half.Stages[last].Target(hidden, 128))
	assert.Equal(t, 64, c.Stages[last].Target(hidden, 128), "the configuration itself stays")
	vision := n.Store().Axis("vision_model.hidden")
	assert.Equal(t, vision.Units(), half.Stages[last].Target(vision, vision.Units()), "a tower that is not cut stays whole")

	// One unit has no half; and transformers must still load the student.
	c.Stages[last].Keep.Language.Units = Keep{Units: 126}
	_, ok = c.HalfBack(last, n, n)
	assert.False(t, ok)
	c.Stages[last].Keep.Language.Units, c.Export.Format = Keep{Units: 64}, FormatTransformers
	_, ok = c.HalfBack(last, n, n)
	assert.False(t, ok, "four heads of 32 make no width of 96")
}
