package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/distillation"
	"espalier/model"
	"espalier/pipeline/config"
	"espalier/pipeline/event"
	"espalier/pipeline/fault"
	"espalier/pipeline/journal"
	"espalier/pipeline/report"
	"espalier/pipeline/runtest"
	"espalier/pipeline/stage"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// runWith is Run for somebody who listens.
func runWith(ctx context.Context, cfg *config.Config, on event.Events) (*report.Report, error) {
	return Run(ctx, cfg, Options{Events: on})
}

func tinyConfig(t *testing.T, output string, set ...string) *config.Config {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir()) // a teacher of one test must not serve another
	cfg, err := config.Parse("tiny.toml", runtest.Tiny, append([]string{"output=" + output}, set...)...)
	require.NoError(t, err)
	return cfg
}

// student are the bytes of a run's result.
func student(t *testing.T, output string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(output, "student", "model.safetensors"))
	require.NoError(t, err)
	return data
}

// folderOf are the bytes of all files of a folder within a run's, by name.
func folderOf(t *testing.T, output, name string) map[string]string {
	t.Helper()
	files := map[string]string{}
	root := filepath.Join(output, name)
	require.NoError(t, filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		within, _ := filepath.Rel(root, path)
		files[within] = string(text)
		return err
	}))
	return files
}

func TestRunLeavesAWholeReport(t *testing.T) {
	torchtest.Setup(t)
	out := filepath.Join(t.TempDir(), "run")
	var kinds []string
	cfg := tinyConfig(t, out)
	r, err := runWith(context.Background(), cfg, func(e event.Event) {
		if c, ok := e.(event.Cut); ok {
			kinds = append(kinds, c.Stage)
		}
	})
	require.NoError(t, err)
	assert.Equal(t, []string{"blocks", "inner", "hidden", "hidden"}, kinds)
	read, err := report.Read(filepath.Join(out, "report.json"))
	require.NoError(t, err)
	assert.Equal(t, r.Student.Parameters, read.Student.Parameters)
	require.Len(t, read.Stages, 3)
	for _, s := range read.Stages {
		assert.True(t, s.Accepted, s.Name)
		assert.LessOrEqual(t, s.SliceMaskMaxDiff, 1e-9, s.Name)
		assert.Equal(t, s.Pruned.Parameters, s.Distilled.Parameters, s.Name)
		assert.Equal(t, s.Cuts[len(s.Cuts)-1].Parameters, s.Pruned.Parameters, s.Name)
	}
	assert.Positive(t, read.Stages[2].SliceMaskMaxDiff, "two networks that add in another order")
	assert.Less(t, read.Stages[2].Cuts[1].Parameters, read.Stages[2].Cuts[0].Parameters)
	assert.Greater(t, read.Ratio.Model, 2.)
	assert.Greater(t, read.Ratio.LanguageBlocks, read.Ratio.Model)
	assert.Len(t, read.Teacher.Accuracy, 6, "overall and five tasks")
	assert.NotEmpty(t, read.Student.AccuracyByCategory)
	assert.NotEmpty(t, read.Student.OOD)
	for _, m := range []report.Model{read.Teacher, read.Student} {
		assert.NotEmpty(t, m.AccuracyByLength)
		assert.NotNil(t, m.Confidence.Accepted)
	}
	assert.Empty(t, read.Teacher.Flips)
	for _, m := range []report.Model{read.Stages[0].Pruned, read.Stages[0].Distilled, read.Student} {
		assert.Len(t, m.Flips, 6)
		assert.Equal(t, 60, m.Flips[report.Overall].Questions)
		assert.Len(t, m.FlipsByCategory, len(m.AccuracyByCategory))
	}
	assert.Positive(t, read.Student.LatencyMS.P50)
	assert.Positive(t, read.Student.Throughput.AnswersPerS)

	p := pageOf(t, out)
	assert.Equal(t, []string{"stages", "tasks", "parts", "cuts", "importance", "losses", "gallery", "run"}, p.Sections)
	assert.Equal(t, 12, p.Cards, "all pictures of the test split")
	for _, shown := range []string{"Accuracy over latency", "Stage hidden: distillation", "2 of 2 blocks stayed", "cut in stage blocks", "16 of 32", "held"} {
		assert.Contains(t, p.Text, shown)
	}

	// The student stands alone: it loads with no plan, at the sizes that the plan left.
	m, err := model.Load(filepath.Join(out, "student"), torch.CPU)
	require.NoError(t, err)
	defer m.Store().Free()
	assert.Equal(t, 16, m.Store().Axis("vision_model.hidden").Units())
	assert.Equal(t, int(read.Student.Parameters), m.Store().Count())

	// A finished run gives its report and computes nothing. It tells all the same what it has found.
	first, err := os.ReadFile(filepath.Join(out, journal.EventsName))
	require.NoError(t, err)
	before, _ := numbersOf(t, out)
	var lines bytes.Buffer
	again, err := Run(context.Background(), cfg, Options{Lines: &lines, Events: func(e event.Event) {
		if p, working := e.(event.Phase); working {
			assert.Equal(t, "data", p.Name)
		}
	}})
	require.NoError(t, err)
	both, err := os.ReadFile(filepath.Join(out, journal.EventsName))
	require.NoError(t, err)
	assert.Equal(t, string(first)+lines.String(), string(both))
	after, kept := numbersOf(t, out)
	checkJournal(t, first, lines.Bytes(), before, after, kept)
	assert.NotEmpty(t, again.Reused)
	again.Reused, again.Seconds, again.PeakRSSBytes, again.Config = nil, read.Seconds, read.PeakRSSBytes, read.Config // it has been through JSON
	assert.Equal(t, read, again)
}

// Cut short after any cut and started again, a run ends with the same bytes; so does a second run from nothing.
func TestInterruptedRunEndsWithTheSameBytes(t *testing.T) {
	torchtest.Setup(t)
	whole := filepath.Join(t.TempDir(), "whole")
	_, err := runWith(context.Background(), tinyConfig(t, whole, "export.torchscript=true"), nil)
	require.NoError(t, err)
	second := filepath.Join(t.TempDir(), "second")
	_, err = runWith(context.Background(), tinyConfig(t, second, "export.torchscript=true"), nil)
	require.NoError(t, err)
	require.Equal(t, student(t, whole), student(t, second))
	files := folderOf(t, whole, "student")
	assert.ElementsMatch(t, []string{"README.md", "config.json", "model.pt", "model.safetensors", "preprocessor_config.json", "tokenizer.json"}, slices.Collect(maps.Keys(files)))
	for name, text := range folderOf(t, second, "student") {
		assert.True(t, files[name] == text, "%s is not the same in another folder", name)
	}

	for stop := 1; stop <= 4; stop++ {
		out := filepath.Join(t.TempDir(), "stopped")
		cfg := tinyConfig(t, out)
		ctx, cancel := context.WithCancel(context.Background())
		cuts := 0
		_, err := runWith(ctx, cfg, func(e event.Event) {
			if _, ok := e.(event.Cut); ok {
				if cuts++; cuts == stop {
					cancel()
				}
			}
		})
		require.ErrorIs(t, err, context.Canceled)
		distilled := 0
		_, err = runWith(context.Background(), cfg, func(e event.Event) {
			if p, ok := e.(event.Phase); ok && p.Name == "distil" {
				distilled++
			}
		})
		require.NoError(t, err)
		assert.Equal(t, 4-(stop-1), distilled, "only the distillation that was under way, and those after it, are made again")
		assert.Equal(t, student(t, whole), student(t, out), "stopped at cut %d", stop)
	}
}

func TestSeedChangesTheResult(t *testing.T) {
	torchtest.Setup(t)
	a, b := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	_, err := runWith(context.Background(), tinyConfig(t, a), nil)
	require.NoError(t, err)
	_, err = runWith(context.Background(), tinyConfig(t, b, "seed=4"), nil)
	require.NoError(t, err)
	assert.NotEqual(t, student(t, a), student(t, b))
}

// A changed key moves what reads it and nothing else: the student is that of a fresh run.
func TestAChangedKeyMovesWhatReadsIt(t *testing.T) {
	torchtest.Setup(t)
	out := filepath.Join(t.TempDir(), "run")
	_, err := runWith(context.Background(), tinyConfig(t, out), nil)
	require.NoError(t, err)
	phases := func(set ...string) (said []string, notes string) {
		cfg, err := config.Parse("tiny.toml", runtest.Tiny, append([]string{"output=" + out}, set...)...)
		require.NoError(t, err)
		_, err = runWith(context.Background(), cfg, func(e event.Event) {
			switch e := e.(type) {
			case event.Phase:
				said = append(said, strings.TrimSpace(e.Stage+" "+e.Name))
			case event.Note:
				notes += e.Text + "\n"
			}
		})
		require.NoError(t, err)
		return said, notes
	}
	said, notes := phases("stage.hidden.distil.lr=2e-3")
	for _, p := range said {
		assert.Regexp(t, "^(data|hidden (distil|score|measure))$", p)
	}
	assert.Contains(t, notes, "hidden/distil 1 is computed again, and what stands on it: Distil.lr: 0.00003 → 0.002")
	changed := student(t, out)
	for set, want := range map[string]string{
		"stage.hidden.alpha=0.5": "^data$", // the gate alone
		"data.ood=9":             "^(data|(teacher|blocks|inner|hidden) measure)$",
		"keep_every=7m":          "^data$",
	} {
		said, _ := phases(set, "stage.hidden.distil.lr=2e-3")
		for _, p := range said {
			assert.Regexp(t, want, p, set)
		}
	}
	fresh := filepath.Join(t.TempDir(), "fresh")
	_, err = runWith(context.Background(), tinyConfig(t, fresh, "stage.hidden.distil.lr=2e-3"), nil)
	require.NoError(t, err)
	assert.Equal(t, student(t, fresh), changed)
}

// A distillation whose losses are no numbers starts again with half the rate, once; then the run ends and names the stage, the
// loss and the rate.
func TestDivergedDistillation(t *testing.T) {
	torchtest.Setup(t)
	var notes []string
	cfg := tinyConfig(t, filepath.Join(t.TempDir(), "run"), "stage.blocks.distil.steps=1000", "stage.blocks.distil.warmup=0", "stage.blocks.candidates=[]")
	r, err := open(cfg, Options{Events: func(e event.Event) {
		if n, ok := e.(event.Note); ok {
			notes = append(notes, n.Text)
		}
	}})
	require.NoError(t, err)
	r.cfg.Stages[0].Distil.LR = 1e30 // more than a configuration may ask for
	_, err = r.do(context.Background())
	var lost *distillation.Diverged
	require.ErrorAs(t, err, &lost)
	assert.ErrorContains(t, err, "stage blocks: distillation: step 11: 10 steps were skipped until step 11, whose loss is NaN at a rate of 5e+29")
	text := strings.Join(notes, "\n")
	assert.Contains(t, text, "whose loss is NaN at a rate of 1e+30")
	assert.Equal(t, 1, strings.Count(text, "the distillation starts again with half the rate"))
	require.NoError(t, r.chain.Close())
}

// A stage that no try makes good ends the run: the student is the one before it, the report says what was tried, and a raised
// alpha goes on from that stage.
func TestFailedGateEndsTheRun(t *testing.T) {
	torchtest.Setup(t)
	out := filepath.Join(t.TempDir(), "run")
	cfg := tinyConfig(t, out)
	r, err := open(cfg, Options{})
	require.NoError(t, err)
	r.cfg.Stages[1].Alpha = -1.5 // no drop is below that: the gate cannot be passed
	done, err := r.do(context.Background())
	var gate *stage.GateError
	require.ErrorAs(t, err, &gate)
	assert.Equal(t, "inner", gate.Stage)
	assert.Equal(t, "blocks", gate.Kept)
	require.Len(t, done.Stages, 2, "the stages after it are not begun")
	var tried []string
	for _, try := range done.Stages[1].Tried {
		assert.False(t, try.Accepted)
		tried = append(tried, try.What)
	}
	assert.Equal(t, []string{"as configured", "3 more steps", "the same size in 2 cuts", "half of the cut, in 2 cuts"}, tried)
	last := done.Stages[1]
	assert.Equal(t, 4, last.Attempts)
	assert.Contains(t, last.Failures, report.DropAboveAlpha)
	assert.Len(t, last.Cuts, 2)
	assert.Equal(t, done.Stages[0].Distilled, done.Student)
	read, err := report.Read(filepath.Join(out, "report.json"))
	require.NoError(t, err)
	assert.Equal(t, done.Student, read.Student)
	p := pageOf(t, out)
	assert.Contains(t, p.Text, "Stage inner was not accepted; the student is the one of stage blocks.")
	assert.Contains(t, p.Text, "inner: distillation")
	assert.NotContains(t, p.Text, "cut in stage inner")
	m, err := model.Load(filepath.Join(out, "student"), torch.CPU)
	require.NoError(t, err)
	assert.Equal(t, int(done.Student.Parameters), m.Store().Count())
	m.Store().Free()
	assert.Contains(t, folderOf(t, out, "student")["README.md"], "lost, after 4 tries; not accepted, left out |")
	require.NoError(t, r.chain.Close())
	cfg.Stages[1].Alpha = 1
	var begun []string
	whole, err := runWith(context.Background(), cfg, func(e event.Event) {
		if p, ok := e.(event.Phase); ok {
			begun = append(begun, strings.TrimSpace(p.Stage+" "+p.Name))
		}
	})
	require.NoError(t, err)
	assert.Equal(t, []string{"data", "hidden score"}, begun[:2])
	assert.Empty(t, whole.Stages[1].Tried)
	assert.Less(t, whole.Stages[1].Distilled.Parameters, last.Distilled.Parameters, "half of the cut leaves more")
}

// A folder that an earlier version's run is in, or that another process uses, is refused.
func TestFoldersThatAreRefused(t *testing.T) {
	torchtest.Setup(t)
	out := filepath.Join(t.TempDir(), "run")
	cfg := tinyConfig(t, out)
	require.NoError(t, os.MkdirAll(out, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(out, "journal.json"), []byte("{}"), 0o644))
	_, err := runWith(context.Background(), cfg, nil)
	var input *fault.InputError
	require.ErrorAs(t, err, &input)
	assert.Contains(t, err.Error(), "earlier version")
	require.NoError(t, os.Remove(filepath.Join(out, "journal.json")))

	r, err := open(cfg, Options{})
	require.NoError(t, err)
	_, err = runWith(context.Background(), cfg, nil)
	require.ErrorAs(t, err, &input)
	assert.Contains(t, err.Error(), fmt.Sprintf("in use by process %d", os.Getpid()))
	require.NoError(t, r.chain.Close())
}

// Without a cache folder, or with one that cannot be written, a run keeps its results in its own folder.
func TestRunWithoutACache(t *testing.T) {
	torchtest.Setup(t)
	for _, cache := range []string{"", "/proc/nope"} {
		out := filepath.Join(t.TempDir(), "run")
		cfg := tinyConfig(t, out)
		t.Setenv("XDG_CACHE_HOME", cache)
		t.Setenv("HOME", "")
		_, err := runWith(context.Background(), cfg, nil)
		require.NoError(t, err, cache)
		begun := 0
		_, err = runWith(context.Background(), cfg, func(e event.Event) {
			if _, ok := e.(event.Phase); ok {
				begun++
			}
		})
		require.NoError(t, err)
		assert.Equal(t, 1, begun, "the data alone")
	}
}

// A recheck of a finished run finds the same bytes everywhere.
func TestRecheck(t *testing.T) {
	torchtest.Setup(t)
	cfg := tinyConfig(t, filepath.Join(t.TempDir(), "run"))
	_, err := Run(context.Background(), cfg, Options{})
	require.NoError(t, err)
	distilled := 0
	_, err = Run(context.Background(), cfg, Options{Recheck: true, Events: func(e event.Event) {
		if p, ok := e.(event.Phase); ok && p.Name == "distil" {
			distilled++
		}
	}})
	require.NoError(t, err)
	assert.Equal(t, 4, distilled)
}

func TestInputFaultsAreNamedBeforeTraining(t *testing.T) {
	torchtest.Setup(t)
	for _, c := range []struct{ set, want string }{
		{"stage.hidden.keep.vision=64", "vision_model.hidden"},
		{"stage.blocks.keep.vision=3", "vision_model.encoder.layers"},
		{"teacher.train.language.positions=10", "positions"},
		{"teacher.train.vision.patch=7", "patch"},
		{"stage.hidden.distil.batch=4000", "batch"},
		{"data.root=/nowhere", "/nowhere"},
	} {
		out := filepath.Join(t.TempDir(), "run")
		t.Setenv("XDG_CACHE_HOME", t.TempDir())
		cfg, err := config.Parse("tiny.toml", runtest.Tiny, "output="+out, c.set)
		if err == nil {
			_, err = runWith(context.Background(), cfg, func(e event.Event) {
				if p, ok := e.(event.Phase); ok && p.Name == "distil" {
					t.Errorf("%s: found only at %v", c.set, p)
				}
			})
		}
		var input *fault.InputError
		if assert.ErrorAs(t, err, &input, c.set) {
			assert.Contains(t, err.Error(), c.want, c.set)
		}
	}
}

// A checkpoint that this program wrote serves as the teacher of another run.
func TestTeacherFromACheckpoint(t *testing.T) {
	torchtest.Setup(t)
	first := filepath.Join(t.TempDir(), "first")
	_, err := runWith(context.Background(), tinyConfig(t, first), nil)
	require.NoError(t, err)
	text := runtest.Tiny[:strings.Index(runtest.Tiny, "[teacher.train]")] + "[teacher]\ncheckpoint = \"" + filepath.Join(first, "teacher") + "\"\n" + runtest.Tiny[strings.Index(runtest.Tiny, "[[stage]]"):]
	second := filepath.Join(t.TempDir(), "second")
	cfg, err := config.Parse("tiny.toml", text, "output="+second)
	require.NoError(t, err)
	_, err = runWith(context.Background(), cfg, nil)
	require.NoError(t, err)
	assert.Equal(t, student(t, first), student(t, second))

	// A NaN in it is refused, naming the tensor.
	m, err := model.Load(filepath.Join(first, "teacher"), torch.CPU)
	require.NoError(t, err)
	m.Store().Param("qformer.layernorm.bias").T().Fill(nan())
	require.NoError(t, m.Save(filepath.Join(first, "teacher")))
	m.Store().Free()
	cfg, err = config.Parse("tiny.toml", text, "output="+filepath.Join(t.TempDir(), "third"))
	require.NoError(t, err)
	_, err = runWith(context.Background(), cfg, nil)
	assert.ErrorContains(t, err, "qformer.layernorm.bias")
}

func nan() float64 {
	zero := 0.
	return zero / zero
}

// A run works on a copy: what it has to change for the export is not seen by its caller, whose configuration serves again.
func TestRunLeavesItsConfigAlone(t *testing.T) {
	torchtest.Setup(t)
	out := filepath.Join(t.TempDir(), "run")
	file := tinyConfig(t, out, "export.format=transformers", "stage.inner.keep.qformer={ heads = 1 }")
	cfg := file.Clone() // as a program makes it: without what is inherited or fitted
	cfg.Teacher.Train.Precision, cfg.Data.Size = "", 48
	for i := range cfg.Stages {
		cfg.Stages[i].Distil.Precision = ""
	}
	before := cfg.Clone()
	fitted := 0
	run := func(c *config.Config) string {
		r, err := runWith(context.Background(), c, func(e event.Event) {
			if n, ok := e.(event.Note); ok && strings.HasPrefix(n.Text, "export: ") && strings.Contains(n.Text, "→") {
				fitted++
			}
		})
		require.NoError(t, err)
		text, err := json.Marshal(r)
		require.NoError(t, err)
		var plain any
		require.NoError(t, json.Unmarshal(text, &plain))
		text, err = json.Marshal(untimed(plain))
		require.NoError(t, err)
		return string(text)
	}
	first := run(cfg)
	assert.Positive(t, fitted, "this export changes what is kept")
	assert.Equal(t, before, cfg)
	assert.JSONEq(t, first, run(cfg), "the same configuration goes on in the same folder")
	assert.JSONEq(t, first, run(file), "and so does the one of the file")
	assert.Equal(t, before, cfg)
}
