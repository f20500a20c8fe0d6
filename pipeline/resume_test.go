package pipeline

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/config"
	"espalier/pipeline/event"
	"espalier/torch/torchtest"
)

// Stopped within any training, a run keeps its state at once: the next start takes the steps that were left, and only those.
func TestTrainingGoesOnFromTheStepItWasStoppedAt(t *testing.T) {
	torchtest.Setup(t)
	whole := filepath.Join(t.TempDir(), "run")
	all, err := steps(tinyConfig(t, whole), "")
	require.NoError(t, err)
	want := outcome(t, whole)
	for _, stop := range []string{"teacher train learn: 2", "teacher train refine: 1", "blocks distil cut 1/1: 1", "hidden distil cut 2/2: 2"} {
		require.Contains(t, all, stop)
		output := filepath.Join(t.TempDir(), "run")
		cfg := tinyConfig(t, output)
		before, err := steps(cfg, stop)
		require.ErrorIs(t, err, context.Canceled, stop)
		require.Equal(t, stop, before[len(before)-1])
		after, err := steps(cfg, "")
		require.NoError(t, err, stop)
		assert.Equal(t, all, append(before, after...), stop)
		assert.Equal(t, want, outcome(t, output), stop)
	}
}

// Stopped after every single batch of its outputs, scores and answers, a run computes each of them once, and ends with the same
// bytes.
func TestBatchesAreComputedOnce(t *testing.T) {
	torchtest.Setup(t)
	whole := filepath.Join(t.TempDir(), "run")
	all, err := progress(tinyConfig(t, whole), func(string, event.Progress) bool { return false })
	require.NoError(t, err)
	output := filepath.Join(t.TempDir(), "run")
	cfg := tinyConfig(t, output)
	var together []string
	for starts := 1; ; starts++ {
		taken, err := progress(cfg, func(_ string, e event.Progress) bool { return e.Unit != "steps" })
		together = append(together, taken...)
		if err == nil {
			assert.Greater(t, starts, 40)
			break
		}
		require.ErrorIs(t, err, context.Canceled)
	}
	assert.Equal(t, all, together)
	assert.Contains(t, all, "hidden score cut 2/2: 2")
	assert.Contains(t, all, "hidden measure distilled the gate's validation split: 8")
	assert.Equal(t, outcome(t, whole), outcome(t, output))
}

// steps makes a run and gives the steps that its trainings took, as "blocks distil cut 1/1: 2". It cancels the run once it has
// taken the step of that name.
func steps(cfg *config.Config, stop string) (taken []string, err error) {
	_, err = progress(cfg, func(step string, e event.Progress) bool {
		if e.Unit != "steps" {
			return false
		}
		taken = append(taken, step)
		return step == stop
	})
	return taken, err
}

// progress makes a run and gives all that it made progress with. It cancels the run when stop says so.
func progress(cfg *config.Config, stop func(step string, e event.Progress) bool) (taken []string, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var phase event.Phase
	_, err = runWith(ctx, cfg, func(e event.Event) {
		switch e := e.(type) {
		case event.Phase:
			phase = e
		case event.Progress:
			step := fmt.Sprintf("%s %s %s: %d", phase.Stage, phase.Name, phase.Detail, e.Done)
			if taken = append(taken, step); stop(step, e) {
				cancel()
			}
		}
	})
	return taken, err
}
