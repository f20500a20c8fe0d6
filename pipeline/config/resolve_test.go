package config

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// made is what a program would write for small.
func made() *Config {
	c := Default()
	c.Output, c.Data.Source = "runs/small", "ads"
	c.Teacher.Train = DefaultTrain()
	blocks, hidden := DefaultStage(), DefaultStage()
	blocks.Name, blocks.Keep.Vision.Units = "blocks", Keep{Units: 2}
	hidden.Name, hidden.Distil.Steps = "hidden", 8
	hidden.Keep = Towers{Vision: TowerKeep{Units: Keep{Share: .5}}, Language: TowerKeep{Units: Keep{Units: 32}}}
	c.Stages = []StageConfig{blocks, hidden}
	return c
}

// A configuration made in Go is the one that a file with the same keys makes: a stage takes the run's precision.
func TestAProgramsConfigResolvesLikeAFile(t *testing.T) {
	c := made()
	c.Precision = "bf16"
	before := c.Clone()
	got, err := c.Resolve()
	require.NoError(t, err)
	assert.Equal(t, parseSmall(t, "precision=bf16"), got)
	assert.Equal(t, "bf16", got.Stages[1].Distil.Precision)
	assert.Equal(t, before, c, "the caller's stays as it is")
	again, err := got.Resolve()
	require.NoError(t, err)
	assert.Equal(t, got, again, "what is resolved stays so")
}

func TestResolveReportsFaults(t *testing.T) {
	c := made()
	c.Stages[1].Distil.LR, c.Stages[1].Keep.Language.Units = math.NaN(), Keep{Share: 1.5}
	c.Stages[0].Keep.QFormer.Heads = Keep{Units: 2}
	c.Threads = 1 << 32
	_, err := c.Resolve()
	assert.EqualError(t, err, "config: threads: 4294967296 is not in [1, 1024]\n"+
		`config: stage[0] "blocks": keep.qformer: heads, head_size and ffn are cut by a stage inner alone: leave them out`+"\n"+
		`config: stage[1] "hidden": keep.language: the share 1.5 is not in (0, 1]`+"\n"+
		`config: stage[1] "hidden": distil.lr: NaN is not a finite number`)
}

// A share for a whole tower of a stage inner means its heads and its FFN, as in a file.
func TestBareShareOfAProgram(t *testing.T) {
	c := made()
	c.Stages[0].Name, c.Stages[0].Keep = "inner", Towers{Vision: TowerKeep{Units: Keep{Share: .5}}}
	got, err := c.Resolve()
	require.NoError(t, err)
	assert.Equal(t, TowerKeep{Heads: Keep{Share: .5}, FFN: Keep{Share: .5}}, got.Stages[0].Keep.Vision)
}

// Nothing that a copy's owner writes reaches the original.
func TestCloneSharesNothing(t *testing.T) {
	c := made()
	task, accept := .1, .5
	c.Stages[0].AlphaTask, c.Teacher.Train.Accept, c.Stages[1].Distil.Freeze = &task, &accept, []string{"vision"}
	d := c.Clone()
	assert.Equal(t, c, d)
	*d.Stages[0].AlphaTask, *d.Teacher.Train.Accept, d.Stages[1].Distil.Freeze[0] = 1, 1, "language"
	d.Stages[0].Name, d.Teacher.Train.Steps = "inner", 1
	assert.Equal(t, .1, task)
	assert.Equal(t, .5, accept)
	assert.Equal(t, []string{"vision"}, c.Stages[1].Distil.Freeze)
	assert.Equal(t, "blocks", c.Stages[0].Name)
	assert.Equal(t, DefaultTrain().Steps, c.Teacher.Train.Steps)
}
