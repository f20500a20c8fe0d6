package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The network of [teacher.train] is known when the file is read, and so is what cannot be kept of it.
func TestNetworkFaults(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"more blocks than there are": {strings.Replace(small, "vision = 2", "vision = 5", 1),
			`run.toml:7: stage[0] "blocks": keep.vision: 5 is more than the 4 that vision_model.encoder.layers then has; lower it`},
		"more width than there is": {strings.Replace(small, "language = 32", "language = 999", 1),
			`run.toml:10: stage[1] "hidden": keep.language: 999 is more than the 128 that language_model.hidden then has; lower it`},
		"more heads than there are": {strings.Replace(small, "name = \"hidden\"\nkeep = { vision = \"50%\", language = 32 }", "name = \"inner\"\nkeep = { qformer = { heads = 9 } }", 1),
			`run.toml:10: stage[1] "inner": keep.qformer.heads: 9 is more than the 4 that qformer.encoder.layer.0.attention.heads then has; lower it`},
		"all kept as a count, and no steps": {strings.Replace(small, "vision = 2", "vision = 4", 1), `run.toml:7: stage[0] "blocks": keep: ` + idleStage},
		"all kept as a share, and no steps": {strings.Replace(small, "vision = 2", `vision = "100%"`, 1), `run.toml:7: stage[0] "blocks": keep: ` + idleStage},
		"all towers frozen": {small + "freeze = [\"language\", \"vision\", \"qformer\"]\n",
			`run.toml:13: stage[1] "hidden": distil.freeze: every tower is frozen: the student would learn nothing; leave one out, or set steps = 0`},
	} {
		assert.Equal(t, []string{c.want}, faultsOf(t, c.text), name)
	}
	for name, text := range map[string]string{
		"a second stage keeps all that the first left": strings.Replace(small, "keep = { vision = 2 }", "keep = { vision = 2 }\n[[stage]]\nname = \"blocks\"\nkeep = { vision = 2 }\ndistil = { steps = 8 }", 1),
		"two towers frozen":                            small + "freeze = [\"language\", \"vision\"]\n",
		"frozen, no steps":                             strings.Replace(small, "steps = 8", "steps = 0\nfreeze = [\"language\", \"vision\", \"qformer\"]", 1),
	} {
		_, err := Parse("run.toml", text)
		assert.NoError(t, err, name)
	}
}

// A remedy names the stage as -set does.
func TestStageKey(t *testing.T) {
	c := parseSmall(t)
	assert.Equal(t, "stage.blocks", c.Stages.Key(0))
	c = parseSmall(t, "stage.0.name=hidden")
	assert.Equal(t, "stage.1", c.Stages.Key(1))
	_, err := Parse("run.toml", small, c.Stages.Key(1)+".distil.steps=9")
	require.NoError(t, err)
}
