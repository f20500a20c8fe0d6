package pipeline

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/pipeline/config"
	"espalier/pipeline/runtest"
	"espalier/torch"
	"espalier/torch/nn"
	"espalier/torch/torchtest"
)

// headStage is an inner stage that narrows heads in two cuts, before one that cuts widths.
func headStage(size config.Keep, width int) *config.Config {
	inner := config.DefaultStage()
	inner.Name, inner.Cuts, inner.Keep = "inner", 2, config.Towers{Vision: config.TowerKeep{HeadSize: size}, Language: config.TowerKeep{HeadSize: size}}
	hidden := config.DefaultStage()
	hidden.Name, hidden.Keep = "hidden", config.Towers{Vision: config.TowerKeep{Units: config.Keep{Units: width}}}
	return &config.Config{Stages: []config.StageConfig{inner, hidden}, Export: config.ExportConfig{Format: config.FormatTransformers}}
}

// Keys and values of a head have the same size after each cut, also where rotary pairs are the units.
func TestHeadSizesOfEachCut(t *testing.T) {
	torchtest.Setup(t)
	for _, language := range []string{"opt", "t5", "llama"} {
		m := runtest.Network(t, "blip-2", language, 30)
		c := headStage(config.Keep{Units: 4}, 16)
		for cut := 1; cut <= 2; cut++ {
			n, err := c.Stages[0].Declare(m, cut)
			require.NoError(t, err)
			sizes, seen := map[string]map[int]bool{}, 0
			for _, a := range n.Store().Axes() {
				if a.Kind == nn.KeySize || a.Kind == nn.ValueSize {
					if sizes[a.Tower] == nil {
						sizes[a.Tower] = map[int]bool{}
					}
					sizes[a.Tower][a.Each()*a.Block()] = true
					seen++
				}
			}
			assert.Greater(t, seen, 10)
			for tower, of := range sizes {
				assert.Len(t, of, 1, "%s, cut %d of %s: %v", language, cut, tower, of)
			}
			assert.True(t, sizes["qformer"][6], "a tower that is left out stays whole")
			assert.True(t, cut < 2 || sizes["language"][4] && sizes["vision"][4])
		}
	}
	c := headStage(config.Keep{Units: 5}, 16)
	assert.ErrorContains(t, c.Stages.CheckKeep(runtest.Network(t, "blip-2", "llama", 30)), "keep.language.head_size: 5 is odd")
}

// Under export to transformers the head size follows from width and heads; LLaMA's pairs cannot be said.
func TestHeadSizesFitTheExport(t *testing.T) {
	torchtest.Setup(t)
	c := headStage(config.Keep{Units: 6}, 16)
	c.Stages[0].Keep.Language = config.TowerKeep{}
	notes, err := c.FitExport(runtest.Network(t, "blip-2", "opt", 30))
	require.NoError(t, err)
	assert.Equal(t, []string{"export: vision head size 6 → 4 and width 16 → 16: transformers takes the head size to be width / heads, here 4"}, notes)
	assert.Equal(t, config.Keep{Units: 4}, c.Stages[0].Keep.Vision.HeadSize)
	_, err = headStage(config.Keep{Units: 4}, 16).FitExport(runtest.Network(t, "blip-2", "llama", 30))
	assert.ErrorContains(t, err, "turns the pairs of a whole head")
}

// A whole run narrows heads, and its student loads.
func TestRunWithNarrowHeads(t *testing.T) {
	torchtest.Setup(t)
	out := filepath.Join(t.TempDir(), "run")
	cfg, err := config.Parse("tiny.toml", runtest.Tiny, "output="+out, "store="+t.TempDir(), "stage.inner.criterion=activation",
		`stage.inner.keep.vision={ heads = 3, head_size = 4, ffn = "50%" }`, `stage.inner.keep.language={ head_size = "50%" }`)
	require.NoError(t, err)
	r, err := runWith(context.Background(), cfg, nil)
	require.NoError(t, err)
	for _, s := range r.Stages {
		assert.LessOrEqual(t, s.SliceMaskMaxDiff, 1e-9, s.Name)
	}
	m, err := model.Load(filepath.Join(out, "student"), torch.CPU)
	require.NoError(t, err)
	defer m.Store().Free()
	assert.Equal(t, []int{3 * (4 + 4 + 4), 16}, m.Store().Param("vision_model.encoder.layers.0.self_attn.qkv.weight").Shape())
	assert.Equal(t, []int{3 * 4, 12}, m.Store().Param("language_model.model.decoder.layers.0.self_attn.q_proj.weight").Shape())
}

// Ranked over a tower, layers keep unlike numbers of units, as many as they would keep alike; the student loads.
func TestRunWithRankedTowers(t *testing.T) {
	torchtest.Setup(t)
	sizes := map[string]map[string]int{}
	for _, ranking := range []string{"layer", "tower"} {
		out := filepath.Join(t.TempDir(), "run")
		cfg, err := config.Parse("tiny.toml", runtest.Tiny, "output="+out, "store="+t.TempDir(), "stage.blocks.keep={ qformer = 1 }", "stage.inner.ranking="+ranking,
			"stage.inner.cuts=2", "stage.inner.criterion=taylor", `stage.inner.keep={ vision = "50%", language = "50%" }`)
		require.NoError(t, err)
		r, err := runWith(context.Background(), cfg, nil)
		require.NoError(t, err)
		for _, s := range r.Stages {
			assert.LessOrEqual(t, s.SliceMaskMaxDiff, 1e-9, s.Name)
		}
		m, err := model.Load(filepath.Join(out, "student"), torch.CPU)
		require.NoError(t, err)
		sizes[ranking] = map[string]int{}
		for _, a := range m.Store().Axes() {
			if (a.Kind == nn.FFN || a.Kind == nn.Heads) && a.Tower != "qformer" {
				sizes[ranking][a.Tower+string(a.Kind)] += a.Units()
				sizes[ranking][a.Name] = a.Units()
			}
		}
		m.Store().Free()
	}
	for _, of := range []string{"visionffn", "languageffn", "visionheads", "languageheads"} {
		assert.Equal(t, sizes["layer"][of], sizes["tower"][of], of)
	}
	assert.NotEqual(t, sizes["layer"], sizes["tower"])
}
