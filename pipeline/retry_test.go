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

// Whichever try of a stage is the first to be accepted, its student is the one that the next stage goes on from, the report is of
// that try with those before it, and a second start finds everything. The gate is opened after so many verdicts: what networks of
// this size have learnt decides nothing here.
func TestTheTryThatIsAcceptedGoesOn(t *testing.T) {
	torchtest.Setup(t)
	tries := []string{"as configured", "3 more steps", "the same size in 2 cuts", "half of the cut, in 2 cuts"}
	store, sizes := t.TempDir(), map[string]int64{}
	students := map[string]bool{}
	for accepted := 1; accepted < len(tries); accepted++ {
		out := filepath.Join(t.TempDir(), "run")
		start := func() *report.Report {
			cfg := tinyConfig(t, out, "store="+store)
			var r *run
			judged := 0
			cfg, err := cfg.Resolve()
			require.NoError(t, err)
			r, err = open(cfg, Options{Events: func(e event.Event) {
				if g, ok := e.(event.GateResult); ok && g.Stage == "inner" {
					if judged++; judged == 1 {
						assert.False(t, g.Passed)
					}
					if judged == accepted {
						r.cfg.Stages[1].Alpha = 1 // no drop is above that
					}
				}
			}})
			require.NoError(t, err)
			r.cfg.Stages[1].Alpha = -1.5 // and none is below that
			done, err := r.do(context.Background())
			require.NoError(t, err)
			require.NoError(t, r.chain.Close())
			return done
		}
		first := start()
		s := first.Stages[1]
		require.Len(t, s.Tried, accepted+1)
		assert.Equal(t, accepted+1, s.Attempts)
		for i, try := range s.Tried {
			assert.Equal(t, tries[i], try.What)
			assert.Equal(t, i == accepted, try.Accepted)
		}
		assert.True(t, s.Accepted)
		assert.Equal(t, s.Tried[accepted].Gate, s.Gate)
		assert.Len(t, first.Stages, 3)
		assert.Equal(t, first.Stages[2].Distilled, first.Student)
		sizes[tries[accepted]] = s.Distilled.Parameters
		bytes := student(t, out)
		assert.False(t, students[string(bytes)], "each try leaves another student")
		students[string(bytes)] = true
		again := start()
		assert.Equal(t, first.Stages, again.Stages, "a second start computes nothing")
		assert.Equal(t, bytes, student(t, out))
	}
	assert.Equal(t, sizes["3 more steps"], sizes["the same size in 2 cuts"])
	assert.Less(t, sizes["the same size in 2 cuts"], sizes["half of the cut, in 2 cuts"])
}
