package pipeline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/config"
	"espalier/pipeline/datatest"
	"espalier/pipeline/event"
	"espalier/pipeline/fault"
	"espalier/pipeline/rows"
	"espalier/pipeline/runtest"
	"espalier/torch/torchtest"
)

// coloured are flat pictures with two questions each, in words that the drawn advertisements have too.
func coloured(t *testing.T, from, n int) (samples []datatest.Sample) {
	for i := from; i < from+n; i++ {
		samples = append(samples, datatest.Sample{Name: fmt.Sprintf("%d.png", i), Picture: datatest.Level(t, uint8(i), uint8(2*i)), Asked: []datatest.Asked{
			{Question: "what color is this advert background", Answers: []string{[]string{"red", "dark blue"}[i%2]}, Task: "color"},
			{Question: "which logo and where is it", Answers: []string{"no logo"}, Task: "logo"}}})
	}
	return samples
}

// proposed is a proposal whose file passes a run's checks: a plan of it works at once.
func proposed(t *testing.T, ask Ask) *Proposal {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	p, err := Propose(context.Background(), ask)
	require.NoError(t, err)
	cfg, err := config.Parse("run.toml", p.Text, "output="+filepath.Join(t.TempDir(), "run"))
	require.NoError(t, err, p.Text)
	divided := false
	_, err = Plan(context.Background(), cfg, Options{Events: func(e event.Event) {
		if d, ok := e.(event.Divided); ok {
			divided = len(d.Target.Divisions) > 0
		}
	}}, 0)
	require.NoError(t, err, p.Text)
	assert.True(t, divided, "there is a student of the size that is proposed")
	return p
}

// Without a checkpoint a teacher is proposed that fits the pictures and the questions.
func TestProposeATeacher(t *testing.T) {
	torchtest.Setup(t)
	root := filepath.Join(t.TempDir(), "shades", "data")
	datatest.Write(t, root, "train", rows.Table, coloured(t, 0, 40))
	datatest.Write(t, root, "test", rows.Parquet, coloured(t, 40, 10))
	p := proposed(t, Ask{Data: root})
	c := p.Config
	assert.Equal(t, 24, c.Data.Size)
	assert.Equal(t, "runs/shades", c.Output)
	assert.Empty(t, c.Data.Split)
	require.NotNil(t, c.Teacher.Train)
	assert.Equal(t, 8, c.Teacher.Train.Batch, "a quarter of 38 pictures, as a power of two")
	assert.Equal(t, 8, c.Stages[0].Distil.Batch)
	assert.Equal(t, 3, c.Eval.MaxAnswerTokens, "dark blue, and the end")
	assert.Equal(t, 24, c.Teacher.Train.Language.Positions, "8 query tokens, 6 words, 2 of an answer, and a little more")
	assert.Equal(t, "espalier", c.Export.Format)
	found := strings.Join(p.Found, "\n")
	assert.Contains(t, found, root+": 50 pictures of 8 × 8 pixels, 100 questions (CSV table and Parquet files)")
	assert.Contains(t, found, "pictures: train 38, validation 2, test 10; there is no validation split")
	assert.Contains(t, found, "2 tasks: color, logo")
	assert.Contains(t, found, "questions of 6 tokens, answers of 1 to 2 tokens")
	assert.Contains(t, p.Text, "# found: 2 tasks: color, logo\n", "the file says it too")
}

// One file is divided, in whatever form.
func TestProposeForOneFile(t *testing.T) {
	torchtest.Setup(t)
	for form, file := range map[rows.Form]string{rows.List: "train.json", rows.Table: "train.csv"} {
		root := t.TempDir()
		datatest.Write(t, root, "train", form, coloured(t, 0, 30))
		for _, given := range []string{filepath.Join(root, file), root} {
			p, err := Propose(context.Background(), Ask{Data: given})
			require.NoError(t, err)
			assert.Equal(t, "80/10/10", p.Config.Data.Split)
			assert.Contains(t, strings.Join(p.Found, "\n"), "pictures: train 24, validation 3, test 3; data.split divides them")
		}
	}
}

// Questions about no pictures get a decoder alone.
func TestProposeADecoder(t *testing.T) {
	torchtest.Setup(t)
	root := t.TempDir()
	for split, n := range map[string]int{"train": 40, "validation": 8, "test": 8} {
		var lines strings.Builder
		for i := range n {
			fmt.Fprintf(&lines, "{\"question\": \"%s %d %d\", \"answer\": \"%d\"}\n", split, i%7, i, i%7)
		}
		require.NoError(t, os.WriteFile(filepath.Join(root, split+".jsonl"), []byte(lines.String()), 0o644))
	}
	p := proposed(t, Ask{Data: root})
	assert.False(t, p.Config.Teacher.Train.Towers)
	assert.NotContains(t, p.Text, "\nsize =", "there are no pictures to see")
	assert.Contains(t, strings.Join(p.Found, "\n"), "no tasks")
}

// A checkpoint says how large pictures are, and which rates suit it.
func TestProposeForACheckpoint(t *testing.T) {
	torchtest.Setup(t)
	root := t.TempDir()
	datatest.Write(t, root, "train", rows.Lines, coloured(t, 0, 20))
	datatest.Write(t, root, "test", rows.Lines, coloured(t, 20, 10))
	folder := runtest.Teacher(t, "blip-2", "opt")
	p := proposed(t, Ask{Data: root, Model: folder})
	assert.Equal(t, folder, p.Config.Teacher.Checkpoint)
	assert.Nil(t, p.Config.Teacher.Train)
	assert.Equal(t, 48, p.Config.Data.Size)
	assert.Equal(t, "transformers", p.Config.Export.Format)
	assert.Contains(t, strings.Join(p.Found, "\n"), folder+": BLIP-2 with OPT")

	_, err := Propose(context.Background(), Ask{Data: root, Model: filepath.Join(root, "train", "metadata.jsonl")})
	assert.ErrorContains(t, err, "has no config.json, and is no file of weights that this program reads")
	assert.ErrorAs(t, err, new(*fault.InputError))
	_, err = Propose(context.Background(), Ask{Data: root, Model: filepath.Join(root, "none")})
	assert.ErrorContains(t, err, "there is no such folder or file; name a checkpoint's folder, or leave -model out")
}

// Where there is little memory, batches are small and make a step together.
func TestProposeForLittleMemory(t *testing.T) {
	torchtest.Setup(t)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	root := t.TempDir()
	datatest.Write(t, root, "train", rows.Table, coloured(t, 0, 40))
	datatest.Write(t, root, "test", rows.Table, coloured(t, 40, 10))
	plenty, err := Propose(context.Background(), Ask{Data: root, available: 1 << 40})
	require.NoError(t, err)
	wanted := plenty.Need.Total() - plenty.Need.Activations/2 // less activations must do
	little, err := Propose(context.Background(), Ask{Data: root, available: int64(float64(wanted) / roomShare)})
	require.NoError(t, err)
	assert.LessOrEqual(t, little.Need.Total(), wanted+1)
	d := little.Config.Stages[0].Distil
	assert.Less(t, d.Batch, plenty.Config.Stages[0].Distil.Batch)
	assert.Equal(t, plenty.Config.Stages[0].Distil.Batch, d.Batch*d.Accumulate, "a step has as many pictures")
	assert.Empty(t, d.Freeze)
	none, err := Propose(context.Background(), Ask{Data: root, available: 1})
	require.NoError(t, err)
	assert.Equal(t, []string{"vision", "embeddings"}, none.Config.Stages[0].Distil.Freeze)
	assert.Contains(t, none.Line(), "which is too little")
}

// What is wrong with the data is said with its place.
func TestProposeForFaultyData(t *testing.T) {
	torchtest.Setup(t)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	root := t.TempDir()
	_, err := Propose(context.Background(), Ask{Data: root})
	assert.ErrorContains(t, err, root+": there are no questions; a data set is train/metadata.jsonl")
	assert.ErrorAs(t, err, new(*fault.InputError))
	datatest.Write(t, root, "train", rows.Table, coloured(t, 0, 20))
	datatest.Write(t, root, "test", rows.Table, coloured(t, 20, 10))
	require.NoError(t, os.WriteFile(filepath.Join(root, "21.png"), []byte("no picture"), 0o644))
	_, err = Propose(context.Background(), Ask{Data: root})
	assert.ErrorContains(t, err, "test.csv:4: ")
	assert.ErrorContains(t, err, "pipeline data check "+root)
	assert.ErrorAs(t, err, new(*fault.InputError))

	root = t.TempDir() // pictures that are nowhere: with a checkpoint, too, this is what is wrong
	for _, split := range []string{"train", "test"} {
		require.NoError(t, os.WriteFile(filepath.Join(root, split+".csv"), []byte("file_name,question,answer\ngone.png,which,one\n"), 0o644))
	}
	_, err = Propose(context.Background(), Ask{Data: root, Model: runtest.Teacher(t, "blip-2", "opt")})
	assert.ErrorContains(t, err, "train.csv:2: there is no picture "+filepath.Join(root, "gone.png"))
	text := t.TempDir()
	for _, split := range []string{"train", "test"} {
		require.NoError(t, os.WriteFile(filepath.Join(text, split+".csv"), []byte("question,answer\nwhich,one\nand,two\n"), 0o644))
	}
	_, err = Propose(context.Background(), Ask{Data: text, Model: runtest.Teacher(t, "blip-2", "opt")})
	assert.ErrorContains(t, err, "has no pictures, and -model")
}
