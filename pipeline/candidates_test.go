package pipeline

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/event"
	"espalier/pipeline/report"
	"espalier/torch/torchtest"
)

// A stage tries its candidates, tells what each reached, and goes on with the best; the steps of all are those that it has.
func TestStageTriesCandidates(t *testing.T) {
	torchtest.Setup(t)
	out := filepath.Join(t.TempDir(), "run")
	cfg := tinyConfig(t, out, `stage.blocks.candidates=["last", "cosine", "gradient/margin", "random"]`, "stage.blocks.candidate_steps=2", "stage.blocks.distil.steps=20",
		`stage.hidden.candidates=["magnitude"]`, "stage.hidden.candidate_steps=1", "stage.inner.candidates=[]")
	steps := map[string]int{} // the last number of steps of each distillation that was computed
	chosen := map[string]event.Chosen{}
	var at event.Phase
	r, err := runWith(context.Background(), cfg, func(e event.Event) {
		switch e := e.(type) {
		case event.Phase:
			at = e
		case event.Progress:
			if e.Unit == "steps" && at.Stage != "teacher" {
				steps[at.Stage+" "+at.Name+" "+at.Detail] = e.Total
			}
		case event.Chosen:
			chosen[e.Stage] = e
		}
	})
	require.NoError(t, err)

	blocks := r.Stages[0]
	require.Len(t, blocks.Candidates, 5)
	best := -1.
	tried := 0
	for i, c := range blocks.Candidates {
		assert.Equal(t, []string{"taylor/cross-entropy", "last", "cosine", "gradient/margin", "random"}[i], c.Name)
		if c.SameAs != "" {
			assert.Nil(t, c.AccuracyShort)
			continue
		}
		tried++
		best = max(best, *c.AccuracyShort)
	}
	for _, c := range blocks.Candidates {
		if c.Chosen {
			assert.Equal(t, best, *c.AccuracyShort)
			assert.Equal(t, blocks.Criterion, c.Name[:len(blocks.Criterion)])
		}
	}
	require.Greater(t, tried, 1, "of two blocks a tower, either may go: two different cuts at least")
	assert.Equal(t, chosen["blocks"].Candidates, blocks.Candidates)
	sum := 0
	for name, n := range steps {
		if name[:6] == "blocks" {
			sum += n
		}
	}
	assert.Equal(t, 20, sum, "%v", steps)

	assert.Empty(t, r.Stages[1].Candidates)
	require.Len(t, r.Stages[2].Candidates, 2)
	assert.Len(t, r.Stages[2].Cuts, 2)
	require.NoError(t, r.Check())

	again, err := runWith(context.Background(), cfg, func(e event.Event) {
		if p, working := e.(event.Phase); working {
			assert.Equal(t, "data", p.Name)
		}
	})
	require.NoError(t, err)
	assert.Equal(t, r.Stages[0].Candidates, again.Stages[0].Candidates)
}

// One cut that all ways to score agree on needs no trial, and leaves the stage all its steps.
func TestCandidatesThatCutAlike(t *testing.T) {
	torchtest.Setup(t)
	plain, out := filepath.Join(t.TempDir(), "plain"), filepath.Join(t.TempDir(), "run")
	_, err := runWith(context.Background(), tinyConfig(t, plain), nil)
	require.NoError(t, err)
	r, err := runWith(context.Background(), tinyConfig(t, out, `stage.blocks.candidates=["taylor"]`), nil)
	require.NoError(t, err)
	assert.Empty(t, r.Stages[0].Candidates, "it is the stage's own")
	assert.Equal(t, student(t, plain), student(t, out))
}

func TestKendallTau(t *testing.T) {
	of := func(pairs ...[2]float64) *float64 {
		var c []report.Candidate
		for _, p := range pairs {
			c = append(c, report.Candidate{AccuracyCut: &p[0], AccuracyShort: &p[1]})
		}
		return report.KendallTau(c)
	}
	assert.Nil(t, of())
	assert.Nil(t, of([2]float64{1, 1}))
	assert.Equal(t, 1., *of([2]float64{.1, .5}, [2]float64{.2, .6}, [2]float64{.3, .7}))
	assert.Equal(t, -1., *of([2]float64{.1, .7}, [2]float64{.2, .6}, [2]float64{.3, .5}))
	assert.InDelta(t, 1./3, *of([2]float64{.1, .5}, [2]float64{.2, .7}, [2]float64{.3, .6}), 1e-12)
}
