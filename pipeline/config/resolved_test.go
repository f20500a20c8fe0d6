package config

import (
	"encoding/json"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What Resolved writes is itself a run.toml with the same meaning: no key is lost or renamed on the way.
func TestResolvedReadsBack(t *testing.T) {
	for _, set := range [][]string{nil, {
		"stage.inner.keep.vision=40%", "stage.inner.alpha_task=0.1", "stage.blocks.distil.freeze=[\"qformer\"]", "data.ood=7",
		"stage.hidden.distil.ce=0.25", "teacher.train.precision=fp32",
	}} {
		c, err := Load("../../run.toml", set...)
		require.NoError(t, err)
		text, err := toml.Marshal(c.Resolved())
		require.NoError(t, err)
		again, err := Parse("resolved.toml", string(text))
		require.NoError(t, err)
		assert.Empty(t, Diff(c.Resolved(), again.Resolved()))
		assert.Equal(t, c.Hash(), again.Hash())
	}
}

// A program's Config is resolved without being filled in itself.
func TestResolvedOfAProgramsConfig(t *testing.T) {
	c := Default()
	c.Data.Source, c.Precision = "ads", "bf16"
	c.Teacher.Train, c.Stages = DefaultTrain(), []StageConfig{DefaultStage()}
	r := c.Resolved()
	assert.Equal(t, 400, r["data"].(map[string]any)["validation"])
	assert.Equal(t, "bf16", r["teacher"].(map[string]any)["train"].(map[string]any)["precision"])
	assert.Zero(t, c.Data.Validation)
	assert.Empty(t, c.Teacher.Train.Precision)
	assert.Empty(t, c.Stages[0].Distil.Precision)
}

func TestResolvedHasDefaultsAndLeavesTheConfigAlone(t *testing.T) {
	c := parseSmall(t)
	before := *c.Teacher.Train
	r := c.Resolved()
	assert.Equal(t, before, *c.Teacher.Train)
	assert.Equal(t, 3e-5, r["stage"].([]any)[1].(map[string]any)["distil"].(map[string]any)["lr"])
	assert.Equal(t, 12000, r["data"].(map[string]any)["train"])
	assert.NotContains(t, r["stage"].([]any)[0], "alpha_task", "what was not given and has no default")
}

func TestHash(t *testing.T) {
	c := parseSmall(t)
	assert.Equal(t, c.Hash(), parseSmall(t, "output=elsewhere", "stage.hidden.distil.steps=8", "data.test=1000").Hash(),
		"the folder, and defaults written out, change nothing")
	assert.NotEqual(t, c.Hash(), parseSmall(t, "seed=2").Hash())
	assert.NotEqual(t, c.Hash(), parseSmall(t, "stage.hidden.distil.steps=9").Hash())

	teacher := []string{"seed", "data", "teacher"}
	assert.Equal(t, c.Hash(teacher...), parseSmall(t, "stage.hidden.distil.steps=9").Hash(teacher...))
	assert.NotEqual(t, c.Hash(teacher...), parseSmall(t, "teacher.train.steps=9").Hash(teacher...))
}

// The other side of a comparison comes out of a folder's JSON, where every number is a float.
func TestDiffAcrossJSON(t *testing.T) {
	c := parseSmall(t)
	text, err := json.Marshal(c.Resolved())
	require.NoError(t, err)
	var saved map[string]any
	require.NoError(t, json.Unmarshal(text, &saved))
	assert.Empty(t, Diff(saved, c.Resolved()))

	other := parseSmall(t, "output=x", "seed=2", "stage.hidden.distil.lr=1e-3", "stage.hidden.alpha_task=0.1", `stage.blocks.distil.freeze=["vision"]`)
	var lines []string
	for _, d := range Diff(saved, other.Resolved()) {
		lines = append(lines, d.String())
	}
	assert.Equal(t, []string{
		"seed: 1 → 2",
		`stage[0].distil.freeze: [] → ["vision"]`,
		"stage[1].alpha_task: – → 0.1",
		"stage[1].distil.lr: 0.00003 → 0.001",
	}, lines)
}
