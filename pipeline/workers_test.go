package pipeline

import (
	"context"
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/event"
	"espalier/torch/torchtest"
)

// A run with two workers, whose teacher has throw-away heads and whose student learns from hidden states too, ends with the same bytes when it is made again,
// and each training's first loss is that of a run with one, up to
// rounding, in half precision and with blocks that are computed again too.
func TestWorkersOfARun(t *testing.T) {
	torchtest.Setup(t)
	run := func(workers string, set ...string) (first []float64, bytes []byte) {
		out := filepath.Join(t.TempDir(), "run")
		began := false
		_, err := runWith(context.Background(), tinyConfig(t, out, append(set, "threads=2", "workers="+workers,
			"stage.blocks.distil.hidden=0.5", "stage.blocks.candidates=[]")...), func(e event.Event) {
			switch e := e.(type) {
			case event.Phase:
				began = e.Name == "train" || e.Name == "distil"
			case event.Curve:
				if began && len(e.Points) > 0 {
					first, began = append(first, e.Points[0].Loss), false
				}
			}
		})
		require.NoError(t, err)
		return first, student(t, out)
	}
	one, alone := run("1")
	two, bytes := run("2")
	again, same := run("2")
	three, capped := run("3")
	assert.Equal(t, bytes, same)
	assert.Equal(t, two, again)
	assert.Equal(t, bytes, capped, "a worker needs a thread")
	assert.Equal(t, two, three)
	assert.NotEqual(t, alone, bytes, "were there two?")
	alike := func(near float64, one, two []float64) {
		require.Len(t, two, len(one))
		require.GreaterOrEqual(t, len(one), 3, "two phases of the teacher's, and a stage")
		for i := range one {
			assert.InDelta(t, one[i], two[i], near*math.Abs(one[i]), "training %d", i)
		}
	}
	alike(1e-3, one, two)
	half := []string{"recompute=true", "precision=bf16", "teacher.train.precision=bf16"}
	one, _ = run("1", half...)
	two, _ = run("2", half...)
	alike(5e-2, one, two)
}
