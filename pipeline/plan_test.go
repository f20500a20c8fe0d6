package pipeline

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/datatest"
	"espalier/pipeline/event"
	"espalier/pipeline/rows"
	"espalier/torch/torchtest"
)

// A plan's sizes are those of the run, it knows of each phase that the run has, and it keeps nothing.
func TestPlanAgainstARun(t *testing.T) {
	torchtest.Setup(t)
	out := filepath.Join(t.TempDir(), "run")
	cfg := tinyConfig(t, out, "stage.hidden.keep.vocabulary=used", "teacher.train.accept=0", "stage.blocks.candidates=[\"magnitude\"]", "stage.blocks.distil.steps=12", "data.stages=32")
	f, err := Plan(context.Background(), cfg, Options{}, time.Minute)
	require.NoError(t, err)
	left, err := os.ReadDir(out)
	require.NoError(t, err)
	for _, e := range left {
		assert.Contains(t, []string{".lock", "kept", "chain.json"}, e.Name())
	}
	kept, err := os.ReadDir(filepath.Join(out, "kept"))
	require.NoError(t, err)
	assert.Empty(t, kept)

	phases := map[string]bool{}
	r, err := runWith(context.Background(), cfg, func(e event.Event) {
		if p, ok := e.(event.Phase); ok && p.Stage != "" {
			phases[p.Stage] = true
		}
	})
	require.NoError(t, err)
	require.Len(t, f.Sizes, 4)
	assert.Equal(t, r.Teacher.Parameters, f.Sizes[0].Parameters)
	assert.Equal(t, r.Teacher.Bytes, f.Sizes[0].Bytes)
	for i, s := range r.Stages {
		assert.Equal(t, s.Distilled.Parameters, f.Sizes[i+1].Parameters, s.Name)
		assert.Equal(t, s.Distilled.Bytes, f.Sizes[i+1].Bytes, s.Name)
	}
	amounts := map[string]int{}
	for _, l := range f.Lines {
		amounts[l.Stage+" "+l.What] = l.Amount
		assert.GreaterOrEqual(t, l.Seconds, 0., l.What)
		delete(phases, l.Stage)
	}
	assert.Empty(t, phases, "stages of which the plan said nothing")
	assert.Equal(t, 7, amounts["teacher train"], "2 steps with heads, 3 of the whole network, 2 more")
	assert.Equal(t, 32, amounts["teacher outputs"], "the pictures that the stages see")
	assert.Equal(t, 6, amounts["hidden distil"])
	assert.Equal(t, 4, amounts["hidden score"], "2 batches of each cut")
	assert.Contains(t, amounts, "blocks candidates")
	assert.Positive(t, f.Memory.Measured)
	assert.Equal(t, out, f.Disk[1].Folder)
	assert.InEpsilon(t, sizeOfFiles(t, filepath.Join(out, "teacher"), filepath.Join(out, "student")), f.Disk[1].Bytes, .05)
	store, err := UserStore()
	require.NoError(t, err)
	results := sizeOfFiles(t, store)
	assert.Greater(t, float64(f.Disk[0].Bytes), float64(results)*.9, "the state of a training comes on top")
}

func sizeOfFiles(t *testing.T, folders ...string) (sum int64) {
	t.Helper()
	for _, f := range folders {
		sum += bytesIn(f)
	}
	require.Positive(t, sum)
	return sum
}

// A rehearsal that has no time for all of it says how far it came.
func TestRehearsalThatIsCutShort(t *testing.T) {
	torchtest.Setup(t)
	cfg := tinyConfig(t, filepath.Join(t.TempDir(), "run"))
	f, err := Plan(context.Background(), cfg, Options{}, time.Nanosecond)
	require.NoError(t, err)
	assert.Len(t, f.Sizes, 4)
	assert.Zero(t, f.Memory.Measured)
	assert.Positive(t, f.Memory.Need(), "the estimate is left")
	assert.Contains(t, f.Notes[0], "the rehearsal had its time")
}

// A plan whose first training pictures are unlabelled rehearses with some that have answers.
func TestPlanOfUnlabelledPictures(t *testing.T) {
	torchtest.Setup(t)
	root := t.TempDir()
	samples := coloured(t, 0, 250)
	for i := range samples[:200] {
		for q := range samples[i].Asked {
			samples[i].Asked[q].Answers = nil
		}
	}
	datatest.Write(t, root, "train", rows.Lines, samples)
	for _, split := range []string{"validation", "test"} {
		datatest.Write(t, root, split, rows.Lines, coloured(t, 0, 8))
	}
	cfg := tinyConfig(t, filepath.Join(t.TempDir(), "run"), "data.source=", "data.root="+root, "data.train=0", "data.validation=0", "data.test=0", "data.ood=0")
	f, err := Plan(context.Background(), cfg, Options{}, 2*time.Minute)
	require.NoError(t, err)
	var seen []string
	for _, l := range f.Lines {
		seen = append(seen, l.Stage+" "+l.What)
	}
	assert.Contains(t, seen, "teacher train")
	assert.Contains(t, seen, "hidden distil")
}
