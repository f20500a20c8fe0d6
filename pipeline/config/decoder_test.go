package config

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const decoderRun = `[data]
source = "sequences"
[teacher.train]
language = { width = 32, layers = 2 }
[[stage]]
name = "blocks"
keep = { language = 1 }
[stage.distil]
steps = 3
`

// Language alone is a decoder without towers, in a file as in what a report holds of it.
func TestDecoderAlone(t *testing.T) {
	c, err := Parse("run.toml", decoderRun)
	require.NoError(t, err)
	assert.False(t, c.Teacher.Train.Towers)
	assert.Zero(t, c.Teacher.Train.PretrainSteps)
	assert.Equal(t, &SequencesConfig{Shortest: 2, Longest: 6, OODLongest: 8}, c.Data.Sequences)
	train := c.Resolved()["teacher"].(map[string]any)["train"].(map[string]any)
	assert.NotContains(t, train, "vision")
	assert.NotContains(t, train, "qformer")
	text, err := json.Marshal(c.Resolved())
	require.NoError(t, err)
	var read map[string]any
	require.NoError(t, json.Unmarshal(text, &read))
	again, err := FromResolved("report.json", read)
	require.NoError(t, err)
	assert.Equal(t, c.Resolved(), again.Resolved())
	n, err := c.Teacher.Train.Declared(c.Data.Size)
	require.NoError(t, err)
	defer n.Store().Free()
	assert.False(t, n.Config().Towers())
	assert.Equal(t, 32, n.Store().Axis("hidden").Units())

	for change, towers := range map[string]bool{
		"teacher.train.vision.width=48": true, "teacher.train.qformer.layers=2": true, "teacher.train.towers=true": true, "teacher.train.steps=7": false,
	} {
		c, err := Parse("run.toml", decoderRun, change)
		require.NoError(t, err, change)
		assert.Equal(t, towers, c.Teacher.Train.Towers, change)
	}
	c, err = Parse("run.toml", strings.Replace(decoderRun, "language = { width = 32, layers = 2 }", "towers = false", 1))
	require.NoError(t, err)
	assert.False(t, c.Teacher.Train.Towers)
}

func TestWhatADecoderLacks(t *testing.T) {
	for change, want := range map[string]string{
		"teacher.train.pretrain_steps=5":          "run.toml:3: teacher.train.pretrain_steps: a decoder alone has no vision tower",
		"stage.blocks.keep.vision=1":              `stage[0] "blocks": keep.vision: the network is a decoder alone, which has none`,
		"stage.blocks.keep.queries=1":             `stage[0] "blocks": keep.queries: the network is a decoder alone`,
		`stage.blocks.distil.freeze=["language"]`: "with language frozen the student would learn nothing",
		"data.sequences.longest=9":                "data.sequences.longest: shortest = 2, longest = 9, ood_longest = 8",
		`data.sequences.tasks=["sort"]`:           `data.sequences.tasks: "sort" is not one of "reverse", "add"`,
	} {
		_, err := Parse("run.toml", decoderRun, change)
		require.Error(t, err, change)
		assert.Contains(t, strings.TrimPrefix(err.Error(), "run.toml:3: "), strings.TrimPrefix(want, "run.toml:3: "), change)
	}
	_, err := Parse("run.toml", strings.Replace(decoderRun, "language =", "towers = false\nvision = { width = 32 }\nlanguage =", 1))
	assert.ErrorContains(t, err, "teacher.train.vision: towers = false asks for a decoder alone")
}
