package pipeline

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/torch/torchtest"
)

// Trainings on changed pictures, with what is kept of the teacher or with what it says to the changed ones, go on from any step
// with the same bytes. Each gives another student than the plain pictures do; the teacher changes only where it is asked for.
func TestVariedRunsGoOnExactly(t *testing.T) {
	torchtest.Setup(t)
	const teacher, student = "teacher/model.safetensors", "student/model.safetensors"
	base := "stage.hidden.loss=margin" // no score reads the kept outputs
	run := func(set ...string) (taken []string, out map[string]string) {
		whole := filepath.Join(t.TempDir(), "run")
		taken, err := steps(tinyConfig(t, whole, append(set, base)...), "")
		require.NoError(t, err, "%v", set)
		return taken, outcome(t, whole)
	}
	_, plain := run()
	_, none := run("data.vary.strength=0", "data.vary.outputs=varied", "data.vary.teacher=true")
	assert.Equal(t, plain[student], none[student])
	seen := map[string]bool{plain[student]: true}
	for _, c := range []struct {
		set, stop   string
		sameTeacher bool
	}{
		{"data.vary.outputs=kept", "hidden distil cut 2/2: 2", true},
		{"data.vary.outputs=varied", "hidden distil cut 2/2: 2", true},
		{"data.vary.teacher=true", "teacher train learn: 2", false},
	} {
		all, want := run(c.set)
		assert.False(t, seen[want[student]], c.set)
		seen[want[student]] = true
		assert.Equal(t, c.sameTeacher, plain[teacher] == want[teacher], c.set)
		output := filepath.Join(t.TempDir(), "run")
		cfg := tinyConfig(t, output, c.set, base)
		before, err := steps(cfg, c.stop)
		require.ErrorIs(t, err, context.Canceled, c.set)
		after, err := steps(cfg, "")
		require.NoError(t, err, c.set)
		assert.Equal(t, all, append(before, after...), c.set)
		assert.Equal(t, want, outcome(t, output), "%s, stopped at %s", c.set, c.stop)
		kept, err := os.ReadFile(filepath.Join(output, "chain.json"))
		require.NoError(t, err)
		assert.Equal(t, c.set != "data.vary.outputs=varied", strings.Contains(string(kept), `"teacher/outputs"`), "%s: outputs that nothing reads", c.set)
	}
}
