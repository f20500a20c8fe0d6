package pipeline

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/pipeline/config"
	"espalier/pipeline/report"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// tinySequences is a whole run over a decoder alone.
const tinySequences = `
seed = 3
threads = 1
device = "cpu"
[data]
source = "sequences"
train = 64
validation = 16
test = 16
ood = 16
sequences = { longest = 4, ood_longest = 5 }
[importance]
pictures = 16
batch = 8
[teacher.train]
language = { width = 24, layers = 3, heads = 3, head_size = 8, ffn = 40, positions = 24 }
steps = 6
refine_steps = 2
batch = 8
[[stage]]
name = "blocks"
criterion = "taylor-sample"
loss = "margin"
keep = { language = 2 }
alpha = 1.0
candidates = ["cosine"]
candidate_steps = 1
[stage.distil]
steps = 6
batch = 8
lr = 1e-3
hidden = 0.5
[[stage]]
name = "inner"
keep = { language = { heads = 2, ffn = "50%" } }
criterion = "activation"
alpha = 1.0
candidates = []
[stage.distil]
steps = 3
batch = 8
[[stage]]
name = "hidden"
loss = "distillation"
keep = { language = 16 }
cuts = 2
alpha = 1.0
candidates = []
[stage.distil]
steps = 4
batch = 8
hidden = 0.5
hidden_form = "kept"
[eval]
batch = 8
latency_runs = 3
latency_warmup = 1
throughput_batch = 4
max_answer_tokens = 6
`

func sequencesConfig(t *testing.T, output string, set ...string) *config.Config {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	cfg, err := config.Parse("sequences.toml", tinySequences, append([]string{"output=" + output}, set...)...)
	require.NoError(t, err)
	return cfg
}

// A decoder alone goes through training, all stages, export and checks as a network with towers does.
func TestRunOverSequences(t *testing.T) {
	torchtest.Setup(t)
	out := filepath.Join(t.TempDir(), "run")
	cfg := sequencesConfig(t, out)
	r, err := runWith(context.Background(), cfg, nil)
	require.NoError(t, err)
	for _, s := range r.Stages {
		assert.LessOrEqual(t, s.SliceMaskMaxDiff, 1e-9, s.Name)
	}
	assert.Positive(t, r.Stages[2].SliceMaskMaxDiff)
	assert.Less(t, r.Student.Parameters, r.Teacher.Parameters)
	assert.Equal(t, report.Parts{LanguageBlocks: r.Student.ParametersByPart.LanguageBlocks, Embeddings: r.Student.ParametersByPart.Embeddings}, r.Student.ParametersByPart)
	assert.ElementsMatch(t, []string{"reverse", "add"}, r.Teacher.Accuracy.Tasks())

	m, err := model.Load(filepath.Join(out, "student"), torch.CPU)
	require.NoError(t, err)
	defer m.Store().Free()
	assert.False(t, m.Config().Towers())
	assert.Equal(t, 16, m.Store().Axis("hidden").Units())

	first := student(t, out)
	again := filepath.Join(t.TempDir(), "again")
	_, err = runWith(context.Background(), sequencesConfig(t, again), nil)
	require.NoError(t, err)
	assert.Equal(t, first, student(t, again), "bit for bit")
	found, err := Verify(context.Background(), out, nil)
	require.NoError(t, err)
	for _, v := range found {
		assert.Empty(t, v.Different)
	}
}
