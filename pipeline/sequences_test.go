package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/pipeline/config"
	"espalier/pipeline/event"
	"espalier/pipeline/fault"
	"espalier/pipeline/report"
	"espalier/pipeline/runtest"
	"espalier/torch"
	"espalier/torch/torchtest"
)

// tinySequences is a whole run over a decoder alone.
var tinySequences = `
seed = 3
threads = 1
device = "` + runtest.Device + `"
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

	p := pageOf(t, out)
	assert.NotZero(t, p.Cards)
	assert.NotContains(t, p.HTML, "<img", "there are no pictures")

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

// The student of a decoder is written in the form of transformers' OPTForCausalLM.
func TestSequencesForTransformers(t *testing.T) {
	torchtest.Setup(t)
	out := filepath.Join(t.TempDir(), "run")
	_, err := runWith(context.Background(), sequencesConfig(t, out, "export.format=transformers", "stage.hidden.distil.hidden=0",
		"stage.inner.keep.language={ heads = 3, ffn = 24 }", "stage.hidden.keep.language=24"), nil)
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(out, "student", "config.json"))
	require.NoError(t, err)
	var file map[string]any
	require.NoError(t, json.Unmarshal(text, &file))
	assert.Equal(t, "opt", file["model_type"])
	assert.Equal(t, []any{"OPTForCausalLM"}, file["architectures"])
	assert.EqualValues(t, 2, file["num_hidden_layers"])
	assert.EqualValues(t, 24, file["ffn_dim"])
	assert.NotContains(t, file, "position_offset")
	m, err := model.Load(filepath.Join(out, "student"), torch.CPU)
	require.NoError(t, err)
	defer m.Store().Free()
	assert.NotNil(t, m.Store().Param("model.decoder.layers.1.fc1.weight"))
	_, err = m.HubConfig()
	assert.NoError(t, err)
	assert.NoFileExists(t, filepath.Join(out, "student", "preprocessor_config.json"))
}

// rowsWithoutPictures is a data set of a user's own, without pictures and without a validation split.
func rowsWithoutPictures(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for split, n := range map[string]int{"train": 40, "test": 8} {
		var lines strings.Builder
		for i := range n {
			fmt.Fprintf(&lines, "{\"question\": \"after %d in %s\", \"answer\": \"%d and %d\"}\n", i, split, i+1, i+2)
		}
		require.NoError(t, os.MkdirAll(filepath.Join(root, split), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, split, "metadata.jsonl"), []byte(lines.String()), 0o644))
	}
	return root
}

func TestRunOverRowsWithoutPictures(t *testing.T) {
	torchtest.Setup(t)
	root := rowsWithoutPictures(t)
	own := []string{"data.source=", "data.root=" + root, "data.train=0", "data.validation=0", "data.test=0", "data.ood=0",
		"stage.blocks.candidates=[]", "stage.blocks.distil.hidden=0", "stage.hidden.distil.hidden=0"}
	var notes []string
	out := filepath.Join(t.TempDir(), "run")
	r, err := runWith(context.Background(), sequencesConfig(t, out, own...), func(e event.Event) {
		if n, ok := e.(event.Note); ok {
			notes = append(notes, n.Text)
		}
	})
	require.NoError(t, err)
	assert.Contains(t, strings.Join(notes, "\n"), "2 of the 40 questions of train serve as one")
	require.NotNil(t, r.Student.Positions)
	assert.Equal(t, 8, r.Student.Positions.Answers)
	assert.Len(t, r.Student.Positions.Tokens, 4)
	assert.Nil(t, r.Student.OODPositions)

	// A network with towers needs pictures, trained here or loaded, and a decoder alone has no use for them.
	_, err = runWith(context.Background(), sequencesConfig(t, t.TempDir(), append(own, "teacher.train.towers=true", "teacher.train.vision.patch=12")...), nil)
	require.ErrorAs(t, err, new(*fault.InputError))
	assert.ErrorContains(t, err, filepath.Join(root, "train", "metadata.jsonl")+`:`)
	assert.ErrorContains(t, err, `no "file_name" (no row has one), and the network of [teacher.train] looks at pictures`)
	_, err = runWith(context.Background(), sequencesConfig(t, t.TempDir(), "data.source=ads"), nil)
	require.ErrorAs(t, err, new(*fault.InputError))
	assert.ErrorContains(t, err, "is a decoder alone, which sees none")

	// Its student is a teacher of a later run.
	again, err := config.Parse("again.toml", tinySequences, append([]string{"output=" + filepath.Join(t.TempDir(), "again")}, own...)...)
	require.NoError(t, err)
	again.Teacher = config.TeacherConfig{Checkpoint: filepath.Join(out, "student")}
	again.Stages = again.Stages[:1]
	again.Stages[0].Keep.Language.Units = config.Keep{Units: 1}
	_, err = runWith(context.Background(), again, nil)
	require.NoError(t, err)
	again.Data = config.DataConfig{Source: "ads", OnError: "fail", Size: 48, Train: 20, Validation: 4, Test: 4, OOD: 4}
	_, err = runWith(context.Background(), again, nil)
	assert.ErrorContains(t, err, "the checkpoint "+filepath.Join(out, "student")+" is a decoder alone")
}

// A size to reach is shared out among what a decoder has.
func TestTargetOfADecoder(t *testing.T) {
	torchtest.Setup(t)
	out := filepath.Join(t.TempDir(), "run")
	r, err := runWith(context.Background(), sequencesConfig(t, out, "target.ratio=2", "target.divisions=2", "stage.hidden.distil.hidden=0", "stage.blocks.distil.hidden=0"), nil)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, r.Ratio.Model, 2.)
}
