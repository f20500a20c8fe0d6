package pipeline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/pipeline/config"
	"espalier/pipeline/event"
	"espalier/pipeline/fault"
	"espalier/pipeline/report"
	"espalier/pipeline/runtest"
	"espalier/pipeline/stage"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// aimed is the tiny run with targets in place of what its stages keep.
func aimed(t *testing.T, output, targets string, set ...string) *config.Config {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	text := regexp.MustCompile(`(?m)^keep .*$`).ReplaceAllString(runtest.Tiny, "") + targets
	cfg, err := config.Parse("aimed.toml", text, append([]string{"output=" + output}, set...)...)
	require.NoError(t, err)
	return cfg
}

// Several targets give a student each, at its size, from one teacher; each is a checkpoint that stands alone, and the first is
// RUN/student as well.
func TestSeveralTargets(t *testing.T) {
	torchtest.Setup(t)
	out := filepath.Join(t.TempDir(), "run")
	cfg := aimed(t, out, "[[target]]\nname = \"big\"\nratio = 2\ndivisions = 2\n[[target]]\nname = \"small\"\nparameters = 9000\ndivisions = 1\n", "stage.hidden.distil.steps=12")
	trained := 0
	foreseen := map[string]float64{} // what the phases of the divisions weigh
	r, err := runWith(context.Background(), cfg, func(e event.Event) {
		switch e := e.(type) {
		case event.Phase:
			if e.Stage == "teacher" && e.Name == "train" {
				trained++
			}
		case event.Outline:
			for _, w := range e.Work {
				if w.Stage == "big" {
					foreseen[w.Phase] = w.Weight
				}
			}
		}
	})
	require.NoError(t, err)
	assert.Positive(t, foreseen["score hidden"])
	assert.Less(t, foreseen["score hidden"], foreseen["score blocks"], "a division is cut from stage to stage")
	assert.Equal(t, 2, trained, "training and its refinement, once for both")
	require.Len(t, r.Students, 2)
	for i, s := range r.Students {
		assert.True(t, s.Target.Met(), s.Target.Line())
		assert.InEpsilon(t, s.Target.Want, s.Target.Got, .04, "a tiny network has few sizes")
		assert.Equal(t, s.Target.Predicted, s.Target.Got, "a size is known before anything is trained")
		assert.Len(t, s.Stages, 3)
		n, err := model.Load(filepath.Join(out, s.Folder), torch.CPU)
		require.NoError(t, err)
		assert.Equal(t, int(s.Measured.Parameters), n.Store().Count(), i)
		n.Store().Free()
	}
	assert.Equal(t, r.Students[0].Measured, r.Student)
	big, err := os.ReadFile(filepath.Join(out, r.Students[0].Folder, "model.safetensors"))
	require.NoError(t, err)
	assert.Equal(t, big, student(t, out))

	divisions := r.Students[0].Target.Divisions
	require.Len(t, divisions, 2)
	best, chosen := 0., 0
	for _, d := range divisions {
		best = max(best, *d.AccuracyShort)
		if d.Chosen {
			chosen++
		}
	}
	assert.Equal(t, 1, chosen)
	for _, d := range divisions {
		if d.Chosen {
			assert.GreaterOrEqual(t, *d.AccuracyShort, best-.005)
		}
	}
	_, err = report.Read(filepath.Join(out, "report.json"))
	require.NoError(t, err)
	p := pageOf(t, out)
	assert.Equal(t, []string{"stages", "tasks", "parts", "cuts", "importance", "choices", "losses", "gallery", "run"}, p.Sections)
	for _, shown := range []string{"big: Divisions for ratio = 2", "small: Divisions for parameters = 9000", r.Students[1].Target.Line()} {
		assert.Contains(t, p.Text, shown)
	}

	again, err := runWith(context.Background(), cfg, func(e event.Event) {
		if p, working := e.(event.Phase); working {
			assert.Equal(t, "data", p.Name, "a finished run computes nothing")
		}
	})
	require.NoError(t, err)
	assert.Equal(t, r.Students[1].Measured.Parameters, again.Students[1].Measured.Parameters)
}

// A plan trains nothing.
func TestPlanOnly(t *testing.T) {
	torchtest.Setup(t)
	out := filepath.Join(t.TempDir(), "run")
	var told []event.Divided
	r, err := Plan(context.Background(), aimed(t, out, "[target]\nlatency_ms = 1000\n"), Options{}, 0)
	require.ErrorAs(t, err, new(*fault.InputError), "the teacher is faster than that")
	assert.Nil(t, r)
	cfg := aimed(t, out, "[target]\nlanguage_ratio = 3\n")
	r, err = Plan(context.Background(), cfg, Options{Events: func(e event.Event) {
		switch e := e.(type) {
		case event.Divided:
			told = append(told, e)
		case event.Phase:
			assert.NotContains(t, []string{"train", "learn", "distil", "score"}, e.Name)
		}
	}}, 0)
	require.NoError(t, err)
	assert.Len(t, r.Sizes, 4)
	assert.InDelta(t, told[0].Target.Divisions[0].Parameters, r.Sizes[3].Parameters, 0)
	assert.Empty(t, r.Lines, "nothing was rehearsed")
	assert.Positive(t, r.Memory.Need())
	require.Len(t, told, 1)
	assert.NotEmpty(t, told[0].Target.Divisions)
	for _, d := range told[0].Target.Divisions {
		assert.Positive(t, d.LatencyMS)
		assert.Contains(t, d.Keeps, "language")
	}

	_, err = Plan(context.Background(), aimed(t, out, "[target]\nratio = 1e6\n"), Options{}, 0)
	require.ErrorAs(t, err, new(*fault.InputError))
	assert.ErrorContains(t, err, "cannot be met: the smallest student")
}

// What the solver does not choose goes with it: the networks that are timed have their heads' size and their vocabulary.
func TestPlanWithOtherCuts(t *testing.T) {
	torchtest.Setup(t)
	cfg := aimed(t, filepath.Join(t.TempDir(), "run"), "[target]\nratio = 3\ndivisions = 1\n", "stage.hidden.keep.vocabulary=8", "stage.inner.keep.vision.head_size=4")
	var told []report.Division
	_, err := Plan(context.Background(), cfg, Options{Events: func(e event.Event) {
		if d, ok := e.(event.Divided); ok {
			told = d.Target.Divisions
		}
	}}, 0)
	require.NoError(t, err)
	require.Len(t, told, 1)
	assert.Positive(t, told[0].LatencyMS)
}

// With a stage for tokens the solver chooses the query tokens, and the run cuts them.
func TestTargetWithQueryTokens(t *testing.T) {
	torchtest.Setup(t)
	out := filepath.Join(t.TempDir(), "run")
	cfg := aimed(t, out, "[[stage]]\nname = \"tokens\"\nalpha = 1.0\n[stage.distil]\nsteps = 2\n[target]\nratio = 4\ndivisions = 1\n")
	r, err := runWith(context.Background(), cfg, nil)
	require.NoError(t, err)
	assert.True(t, r.Target.Met(), r.Target.Line())
	assert.Len(t, r.Stages, 4)
	m, err := model.Load(filepath.Join(out, "student"), torch.CPU)
	require.NoError(t, err)
	defer m.Store().Free()
	assert.Contains(t, r.Target.Divisions[0].Keeps, fmt.Sprintf("qformer %d queries", m.Store().Axis("qformer.queries").Units()))
}

// A student that was to have a size is not made larger: the run ends with the stage before it and says so.
func TestNoTryMissesTheTarget(t *testing.T) {
	torchtest.Setup(t)
	cfg := aimed(t, filepath.Join(t.TempDir(), "run"), "[target]\nratio = 4\ndivisions = 1\n", "stage.inner.candidates=[]")
	r, err := open(cfg, Options{})
	require.NoError(t, err)
	r.cfg.Stages[1].Alpha = -1.5 // no drop is below that
	done, err := r.do(context.Background())
	require.ErrorAs(t, err, new(*stage.GateError))
	var tried []string
	for _, try := range done.Stages[1].Tried {
		tried = append(tried, regexp.MustCompile(`\d+`).ReplaceAllString(try.What, "n"))
	}
	assert.Equal(t, []string{"as configured", "n more steps", "the same size in n cuts"}, tried)
	require.NoError(t, r.chain.Close())
}

// Before a target's divisions were tried, a stage is foreseen at the mean of their sizes.
func TestOutlineOfDivisions(t *testing.T) {
	torchtest.Setup(t)
	cfg, err := aimed(t, filepath.Join(t.TempDir(), "run"), "[target]\nratio = 2\ndivisions = 2\n", "stage.hidden.distil.steps=12").Resolve()
	require.NoError(t, err)
	r, err := open(cfg, Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, r.chain.Close()) }()
	p, err := prepare(context.Background(), r)
	require.NoError(t, err)
	defer p.teacher.Free()
	scoring := func(goals ...*goal) (weight float64) { // of all cuts
		for _, w := range outlineOf(cfg, p.teacher, p.corpora, goals).Work {
			if w.Stage == "hidden" && w.Phase == "score" {
				weight += w.Weight
			}
		}
		return weight
	}
	divisions := p.goals[0].divisions
	require.Len(t, divisions, 2)
	last := &divisions[1].Config.Stages[2]
	require.Equal(t, "hidden", last.Name)
	for _, cuts := range []int{2, 1, 3} { // a division has its own
		last.Cuts = cuts
		first, second := scoring(&goal{divisions: divisions[:1]}), scoring(&goal{divisions: divisions[1:]})
		require.NotEqual(t, first, second)
		assert.InEpsilon(t, (first+second)/2, scoring(p.goals[0]), 1e-12)
	}
}
