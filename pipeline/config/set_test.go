package config

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOverrides(t *testing.T) {
	c := parseSmall(t,
		"seed=7",
		"device=cpu",               // a text needs no quotes
		`precision="bf16"`,         // but may have them
		"output=2024",              // not even when it looks like a number
		"data.train = 640",         // spaces do not matter
		"stage.hidden.cuts=2",      // a stage by its name
		"stage.1.distil.steps=400", // by its index
		"stage[0].distil.lr=1e-3",  // as faults write it; the table is not in the file
		"stage.hidden.keep.vision=25%",
		`stage.hidden.distil.freeze=["vision"]`,
		"teacher.train.accept=0.5",
	)
	assert.Equal(t, 7, c.Seed)
	assert.Equal(t, "cpu", c.Device)
	assert.Equal(t, "bf16", c.Precision)
	assert.Equal(t, "2024", c.Output)
	assert.Equal(t, 640, c.Data.Train)
	assert.Equal(t, 2, c.Stages[1].Cuts)
	assert.Equal(t, 400, c.Stages[1].Distil.Steps)
	assert.Equal(t, 1e-3, c.Stages[0].Distil.LR)
	assert.Equal(t, Keep{Share: .25}, c.Stages[1].Keep.Vision.Units)
	assert.Equal(t, Keep{Units: 32}, c.Stages[1].Keep.Language.Units, "its neighbour stays")
	assert.Equal(t, []string{"vision"}, c.Stages[1].Distil.Freeze)
	require.NotNil(t, c.Teacher.Train.Accept)
	assert.Equal(t, .5, *c.Teacher.Train.Accept)
}

func TestOverrideFaults(t *testing.T) {
	for set, want := range map[string]string{
		"seed":                         `-set seed: an override is key=value, as stage.hidden.distil.steps=400`,
		"sede=2":                       `-set sede=2: unknown key "sede" (did you mean "seed"?)`,
		"seed=x":                       `-set seed=x: seed: must be a whole number, not the text "x"`,
		"seed=1\nthreads=2":            "-set \"seed=1\\nthreads=2\": seed: must be a whole number, not the text \"1\\nthreads=2\"",
		"stage.hidden.distil.step=4":   `-set stage.hidden.distil.step=4: stage[1] "hidden": distil: unknown key "step" (did you mean "steps"?)`,
		"stage.hiden.cuts=4":           `-set stage.hiden.cuts=4: there is no stage named "hiden"; the stages are "blocks", "hidden"`,
		"stage.2.cuts=4":               `-set stage.2.cuts=4: there is no stage[2]: the file has 2, counted from 0`,
		"stage.hidden=4":               `-set stage.hidden=4: name a key of the stage, as stage.hidden.cuts=4`,
		"stage.hidden.cuts.x=4":        `-set stage.hidden.cuts.x=4: stage[1] "hidden": cuts: must be a whole number, not a table`,
		"seed.x=4":                     `-set seed.x=4: seed: must be a whole number, not a table`,
		"data.source.x=4":              `-set data.source.x=4: data.source is the text "ads", not a table`,
		"stage.hidden.keep={vision=0}": `-set stage.hidden.keep={vision=0}: stage[1] "hidden": keep.vision: 0 is not in [1, 1000000000]`,
		`data={source="ad",size=4}`: "-set data={source=\"ad\",size=4}: data.source: \"ad\" is not one of \"ads\", \"sequences\" (did you mean \"ads\"?)\n" +
			"-set data={source=\"ad\",size=4}: data.size: 4 is not in [8, 4096]",
		"a.b.c.d.e.f.g.h.i=1":          "-set a.b.c.d.e.f.g.h.i=1: the key has more than 8 parts",
		"output=[[[[[[[[[[1]]]]]]]]]]": "-set output=[[[[[[[[[[1]]]]]]]]]]: it is nested deeper than 8 tables or lists: a configuration is not so large",
		"stage.hidden.keep.vision=-1":  `-set stage.hidden.keep.vision=-1: stage[1] "hidden": keep.vision: -1 is not in [1, 1000000000]`,
	} {
		t.Run(set, func(t *testing.T) {
			_, err := Parse("run.toml", small, set)
			assert.EqualError(t, err, want)
		})
	}
}

func TestOverrideOfRepeatedStageName(t *testing.T) {
	_, err := Parse("run.toml", small, "stage.0.name=hidden", "stage.hidden.cuts=3")
	assert.EqualError(t, err, `-set stage.hidden.cuts=3: 2 stages are named "hidden": give the index, as stage.0`)
}

// What replaces a table replaces all that was known of it: the file's lines, and earlier overrides.
func TestOverridesFollowEachOther(t *testing.T) {
	c := parseSmall(t, "stage.hidden.keep.vision=0", "stage.hidden.keep={ language = 16 }", "stage.hidden.keep.qformer=8")
	assert.Equal(t, Towers{Language: TowerKeep{Units: Keep{Units: 16}}, QFormer: TowerKeep{Units: Keep{Units: 8}}}, c.Stages[1].Keep)
	_, err := Parse("run.toml", small, "stage.hidden.keep.vision=2", "stage.hidden.keep={ vision = 999 }", "data.test=5")
	assert.EqualError(t, err, `-set stage.hidden.keep={ vision = 999 }: stage[1] "hidden": keep.vision: 999 is more than the 160 that vision_model.hidden then has; lower it`)
}
