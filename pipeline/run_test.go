package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/pipeline/config"
	"espalier/pipeline/fault"
	"espalier/pipeline/report"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// tiny is a whole run of a few seconds: it learns next to nothing, and every part of it is used.
const tiny = `
seed = 3
threads = 1
device = "cpu"
[data]
source = "ads"
train = 48
validation = 12
test = 12
ood = 12
[importance]
pictures = 16
batch = 8
[teacher.train]
vision   = { width = 32, layers = 2, heads = 4, head_size = 8, ffn = 48, patch = 12 }
qformer  = { width = 24, layers = 2, heads = 3, head_size = 8, ffn = 40, queries = 4, cross_every = 2 }
language = { width = 24, layers = 2, heads = 3, head_size = 8, ffn = 40, positions = 40 }
pretrain_steps = 2
steps = 3
refine_steps = 2
batch = 8
[[stage]]
name = "blocks"
criterion = "taylor"
keep = { vision = 1, language = 1 }
alpha = 1.0
[stage.distil]
steps = 3
batch = 8
lr = 1e-3
[[stage]]
name = "inner"
criterion = "taylor-sample"
loss = "margin"
keep = { vision = { heads = 2, ffn = "50%" }, language = "50%" }
alpha = 1.0
[stage.distil]
steps = 3
batch = 8
freeze = ["qformer"]
[[stage]]
name = "hidden"
criterion = "gradient"
loss = "distillation"
keep = { vision = 16, qformer = 12, language = "50%" }
cuts = 2
alpha = 1.0
[stage.distil]
steps = 6
batch = 8
accumulate = 2
[eval]
batch = 8
latency_runs = 3
latency_warmup = 1
throughput_batch = 4
max_answer_tokens = 4
`

func tinyConfig(t *testing.T, output string, set ...string) *config.Config {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir()) // a teacher of one test must not serve another
	cfg, err := config.Parse("tiny.toml", tiny, append([]string{"output=" + output}, set...)...)
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

func TestRunLeavesAWholeReport(t *testing.T) {
	torchtest.Setup(t)
	out := filepath.Join(t.TempDir(), "run")
	var kinds []string
	r, err := Run(context.Background(), tinyConfig(t, out), func(e Event) {
		if c, ok := e.(Cut); ok {
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
	assert.Positive(t, read.Student.LatencyMS.P50)
	assert.Positive(t, read.Student.Throughput.AnswersPerS)

	// The student stands alone: it loads with no plan, at the sizes that the plan left.
	m, err := model.Load(filepath.Join(out, "student"), torch.CPU)
	require.NoError(t, err)
	defer m.Store().Free()
	assert.Equal(t, 16, m.Store().Axis("vision_model.hidden").Units())
	assert.Equal(t, int(read.Student.Parameters), m.Store().Count())

	// A finished run gives its report and computes nothing.
	again, err := Run(context.Background(), tinyConfig(t, out), func(e Event) {
		_, working := e.(Phase)
		assert.False(t, working)
	})
	require.NoError(t, err)
	assert.Equal(t, read, again)
}

// Cut short after any cut and started again, a run ends with the same bytes; so does a second run from nothing.
func TestInterruptedRunEndsWithTheSameBytes(t *testing.T) {
	torchtest.Setup(t)
	whole := filepath.Join(t.TempDir(), "whole")
	_, err := Run(context.Background(), tinyConfig(t, whole), nil)
	require.NoError(t, err)
	second := filepath.Join(t.TempDir(), "second")
	_, err = Run(context.Background(), tinyConfig(t, second), nil)
	require.NoError(t, err)
	require.Equal(t, student(t, whole), student(t, second))

	for stop := 1; stop <= 4; stop++ {
		out := filepath.Join(t.TempDir(), "stopped")
		cfg := tinyConfig(t, out)
		ctx, cancel := context.WithCancel(context.Background())
		cuts := 0
		_, err := Run(ctx, cfg, func(e Event) {
			if _, ok := e.(Cut); ok {
				if cuts++; cuts == stop {
					cancel()
				}
			}
		})
		require.ErrorIs(t, err, context.Canceled)
		resumed := 0
		_, err = Run(context.Background(), cfg, func(e Event) {
			if _, ok := e.(Cut); ok {
				resumed++
			}
		})
		require.NoError(t, err)
		assert.Equal(t, 4-(stop-1), resumed, "only the cut that was under way, and those after it, are made again")
		assert.Equal(t, student(t, whole), student(t, out), "stopped at cut %d", stop)
	}
}

func TestSeedChangesTheResult(t *testing.T) {
	torchtest.Setup(t)
	a, b := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	_, err := Run(context.Background(), tinyConfig(t, a), nil)
	require.NoError(t, err)
	_, err = Run(context.Background(), tinyConfig(t, b, "seed=4"), nil)
	require.NoError(t, err)
	assert.NotEqual(t, student(t, a), student(t, b))
}

func TestFolderOfAnotherConfigIsRefused(t *testing.T) {
	torchtest.Setup(t)
	out := filepath.Join(t.TempDir(), "run")
	_, err := Run(context.Background(), tinyConfig(t, out), nil)
	require.NoError(t, err)
	_, err = Run(context.Background(), tinyConfig(t, out, "stage.hidden.alpha=0.5"), nil)
	var input *fault.InputError
	require.ErrorAs(t, err, &input)
	assert.Contains(t, err.Error(), "alpha")
	assert.Contains(t, err.Error(), out)
}

func TestFailedGateEndsTheRun(t *testing.T) {
	torchtest.Setup(t)
	out := filepath.Join(t.TempDir(), "run")
	// No drop is below −1.5: the gate cannot be passed.
	cfg := tinyConfig(t, out)
	cfg.Stages[1].Alpha = -1.5
	r := &run{cfg: cfg}
	j, err := openJournal(cfg)
	require.NoError(t, err)
	r.journal = j
	_, err = r.do(context.Background())
	var gate *GateError
	require.ErrorAs(t, err, &gate)
	assert.Equal(t, "inner", gate.Stage)
	assert.NoFileExists(t, filepath.Join(out, "report.json"))
	assert.FileExists(t, filepath.Join(out, "stages", "1-blocks", "cut-1", "model.safetensors"), "what was computed stays")
	assert.FileExists(t, filepath.Join(out, "journal.json"))
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
		cfg, err := config.Parse("tiny.toml", tiny, "output="+out, c.set)
		if err == nil {
			_, err = Run(context.Background(), cfg, func(e Event) {
				if p, ok := e.(Phase); ok && p.Name == "distil" {
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
	_, err := Run(context.Background(), tinyConfig(t, first), nil)
	require.NoError(t, err)
	text := tiny[:strings.Index(tiny, "[teacher.train]")] + "[teacher]\ncheckpoint = \"" + filepath.Join(first, "teacher") + "\"\n" + tiny[strings.Index(tiny, "[[stage]]"):]
	second := filepath.Join(t.TempDir(), "second")
	cfg, err := config.Parse("tiny.toml", text, "output="+second)
	require.NoError(t, err)
	_, err = Run(context.Background(), cfg, nil)
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
	_, err = Run(context.Background(), cfg, nil)
	var input *fault.InputError
	require.True(t, errors.As(err, &input), "%v", err)
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
		r, err := Run(context.Background(), c, func(e Event) {
			if n, ok := e.(Note); ok && strings.HasPrefix(n.Text, "export: ") && strings.Contains(n.Text, "→") {
				fitted++
			}
		})
		require.NoError(t, err)
		text, err := json.Marshal(r)
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
