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
		assert.Equal(t, c.Resolved(), again.Resolved())
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

// A report's configuration, in which every number is a float, is the one that its run had.
func TestFromResolved(t *testing.T) {
	c := parseSmall(t, "stage.hidden.alpha_task=0.1", "stage.hidden.keep.vision=33%")
	text, err := json.Marshal(c.Resolved())
	require.NoError(t, err)
	var saved map[string]any
	require.NoError(t, json.Unmarshal(text, &saved))
	again, err := FromResolved("report.json", saved)
	require.NoError(t, err)
	assert.Equal(t, c.Resolved(), again.Resolved())
	saved["sede"] = 1.
	_, err = FromResolved("report.json", saved)
	assert.ErrorContains(t, err, `unknown key "sede"`)
	_, err = FromResolved("report.json", nil)
	assert.Error(t, err)
}
