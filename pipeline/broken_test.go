package pipeline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/config"
	"espalier/pipeline/data"
	"espalier/pipeline/event"
	"espalier/pipeline/report"
	"espalier/torch/torchtest"
)

// breakable is a run over a folder whose pictures may break while it is under way.
type breakable struct {
	root, output string
	notes        []string
	phases       []string // as "teacher train learn"; "data" is the beginning of a start
}

// run makes the run; at is called at each phase.
func (b *breakable) run(t *testing.T, at func(phase string), set ...string) (*report.Report, error) {
	t.Helper()
	cfg, err := config.Parse("small.toml", smallRun, append([]string{"data.root=" + b.root, "output=" + b.output}, set...)...)
	require.NoError(t, err)
	return Run(context.Background(), cfg, Options{memory: 1, Events: func(e event.Event) {
		switch e := e.(type) {
		case event.Note:
			b.notes = append(b.notes, e.Text)
		case event.Phase:
			phase := strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Stage, e.Name, e.Detail))
			b.phases = append(b.phases, phase)
			at(phase)
		}
	}})
}

func (b *breakable) write(t *testing.T, picture, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(b.root, picture), []byte(text), 0o644))
}

// count is how many starts or trainings of the teacher there were.
func (b *breakable) count(phase string) (n int) {
	for _, p := range b.phases {
		if p == phase {
			n++
		}
	}
	return n
}

const learning = "teacher train learn"

// Rows that break while a run uses them are left out in the same run, however many break one after another, and it ends as one
// that never saw them.
func TestRowsThatBreakAreLeftOut(t *testing.T) {
	torchtest.Setup(t)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	root := dataFolder(t, plainSplits())
	b := &breakable{root: root, output: filepath.Join(t.TempDir(), "run")}
	bad := []string{"train/train-3.png", "train/train-0.png"}
	r, err := b.run(t, func(phase string) {
		if n := b.count(learning); phase == learning && n <= len(bad) {
			b.write(t, bad[n-1], "no picture")
		}
	}, "data.on_error=skip")
	require.NoError(t, err)
	assert.Len(t, r.Skipped, 4, "two questions on each picture")
	assert.Equal(t, 3, b.count("data"))
	again := 0
	for _, note := range b.notes {
		if strings.Contains(note, "the run starts again without the rows that cannot be read") {
			assert.Contains(t, note, root+"/train/metadata.jsonl:")
			again++
		}
	}
	assert.Equal(t, 2, again)

	// A picture of the test split moves neither teacher nor student.
	trained := b.count(learning)
	bad = nil
	b.output = filepath.Join(t.TempDir(), "other")
	measuring := func(phase string) bool {
		return strings.HasPrefix(phase, "teacher measure") && strings.HasSuffix(phase, "on test")
	}
	_, err = b.run(t, func(phase string) {
		if measuring(phase) && !slices.Contains(bad, phase) {
			bad = append(bad, phase)
			b.write(t, "test/test-20.png", "no picture")
		}
	}, "data.on_error=skip", "eval.max_answer_tokens=5")
	require.NoError(t, err)
	assert.Len(t, bad, 1)
	assert.Equal(t, trained, b.count(learning))
	assert.Equal(t, 5, b.count("data"))

	fresh := &breakable{root: root, output: filepath.Join(t.TempDir(), "fresh")}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	_, err = fresh.run(t, func(string) {}, "data.on_error=skip", "eval.max_answer_tokens=5")
	require.NoError(t, err)
	assert.Equal(t, 1, fresh.count("data"))
	assert.Equal(t, outcome(t, fresh.output), outcome(t, b.output))
}

// A row that cannot be read in the middle of a run alone ends it when starting again does not help; with "fail" at once.
func TestRowsThatBreakEndTheRun(t *testing.T) {
	torchtest.Setup(t)
	for on, starts := range map[string]int{"skip": 2, "fail": 1} {
		t.Setenv("XDG_CACHE_HOME", t.TempDir())
		b := &breakable{root: dataFolder(t, plainSplits()), output: filepath.Join(t.TempDir(), "run")}
		sound, err := os.ReadFile(filepath.Join(b.root, "train/train-3.png"))
		require.NoError(t, err)
		_, err = b.run(t, func(phase string) {
			switch phase {
			case "data":
				b.write(t, "train/train-3.png", string(sound))
			case learning:
				b.write(t, "train/train-3.png", "no picture")
			}
		}, "data.on_error="+on)
		var broken *data.Unreadable
		require.ErrorAs(t, err, &broken, on)
		assert.ErrorContains(t, err, b.root+"/train/metadata.jsonl:7: "+b.root+"/train/train-3.png")
		assert.Equal(t, starts, b.count("data"), on)
	}
}
