package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/config"
	"espalier/pipeline/data"
	"espalier/pipeline/event"
	"espalier/pipeline/fault"
	"espalier/pipeline/report"
	"espalier/pipeline/runtest"
	"espalier/torch/torchtest"
)

// dataRow is a line of a metadata.jsonl; picture is the level of a flat picture of that name.
type dataRow struct {
	picture        int
	question       string
	answer         any
	task, category string
}

// dataFolder writes a data set of flat pictures.
func dataFolder(t *testing.T, splits map[string][]dataRow) string {
	t.Helper()
	root := t.TempDir()
	for split, rows := range splits {
		require.NoError(t, os.MkdirAll(filepath.Join(root, split), 0o755))
		var lines strings.Builder
		for _, r := range rows {
			name := fmt.Sprintf("%s-%d.png", split, r.picture)
			img := image.NewNRGBA(image.Rect(0, 0, 8, 8))
			for i := range 64 {
				img.Set(i%8, i/8, color.NRGBA{uint8(r.picture), uint8(10 * r.picture), 7, 255})
			}
			file, err := os.Create(filepath.Join(root, split, name))
			require.NoError(t, err)
			require.NoError(t, png.Encode(file, img))
			require.NoError(t, file.Close())
			fields := map[string]any{"file_name": name, "question": r.question}
			if r.answer != nil {
				fields["answer"] = r.answer
			}
			if r.task != "" {
				fields["task"] = r.task
			}
			if r.category != "" {
				fields["category"] = r.category
			}
			text, err := json.Marshal(fields)
			require.NoError(t, err)
			fmt.Fprintf(&lines, "%s\n", text)
		}
		require.NoError(t, os.WriteFile(filepath.Join(root, split, "metadata.jsonl"), []byte(lines.String()), 0o644))
	}
	return root
}

// plainSplits has two questions on each of a few pictures, other pictures in each split.
func plainSplits() map[string][]dataRow {
	out := map[string][]dataRow{}
	for s, split := range []string{"train", "validation", "test"} {
		for p := range 8 - 2*s {
			out[split] = append(out[split],
				dataRow{picture: 10*s + p, question: "what colour is it", answer: "it is red", task: "colour", category: "plain"},
				dataRow{picture: 10*s + p, question: "which shape", answer: []string{"a large square", "square"}, task: "shape", category: "plain"})
		}
	}
	return out
}

// smallRun is a run of a second on a data folder, with a teacher that learns nothing.
var smallRun = `
threads = 1
device = "` + runtest.Device + `"
[data]
size = 8
[importance]
pictures = 4
batch = 4
[teacher.train]
vision   = { width = 8, layers = 2, heads = 2, head_size = 4, ffn = 8, patch = 4 }
qformer  = { width = 8, layers = 2, heads = 2, head_size = 4, ffn = 8, queries = 2, cross_every = 2 }
language = { width = 8, layers = 2, heads = 2, head_size = 4, ffn = 8, positions = 16 }
pretrain_steps = 2
steps = 2
refine_steps = 1
batch = 4
[[stage]]
name = "blocks"
criterion = "magnitude"
keep = { vision = 1, language = 1 }
alpha = 1.0
[stage.distil]
steps = 2
batch = 4
[eval]
batch = 4
latency_runs = 1
latency_warmup = 0
throughput_batch = 2
max_answer_tokens = 4
`

// runOn is a run on a data folder; it gives the notes as well.
func runOn(t *testing.T, root, text string, set ...string) (*report.Report, []string, error) {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	cfg, err := config.Parse("small.toml", text, append([]string{"data.root=" + root, "output=" + filepath.Join(t.TempDir(), "run")}, set...)...)
	require.NoError(t, err)
	var notes []string
	r, err := runWith(context.Background(), cfg, func(e event.Event) {
		if n, ok := e.(event.Note); ok {
			notes = append(notes, strings.ReplaceAll(n.Text, root+"/", ""))
		}
		if p, ok := e.(event.Phase); ok && p.Stage != "" {
			notes = append(notes, "computed")
		}
	})
	return r, notes, err
}

// faultOf is the text of a fault in what the user gave, found before anything was computed.
func faultOf(t *testing.T, root, text string, set ...string) string {
	t.Helper()
	_, notes, err := runOn(t, root, text, set...)
	var input *fault.InputError
	require.ErrorAs(t, err, &input)
	assert.NotContains(t, notes, "computed")
	return strings.ReplaceAll(err.Error(), root+"/", "")
}

// loaded is smallRun with the teacher of another run's folder in place of [teacher.train].
func loaded(teacher string) string {
	a, b := strings.Index(smallRun, "[teacher.train]"), strings.Index(smallRun, "[[stage]]")
	return smallRun[:a] + fmt.Sprintf("[teacher]\ncheckpoint = %q\n", teacher) + smallRun[b:]
}

// smallTeacher is a checkpoint for a data folder.
func smallTeacher(t *testing.T, root string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "first")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	cfg, err := config.Parse("small.toml", smallRun, "data.root="+root, "output="+out)
	require.NoError(t, err)
	_, err = runWith(context.Background(), cfg, nil)
	require.NoError(t, err)
	return filepath.Join(out, "teacher")
}

func openSmall(t *testing.T, root string) *data.Dataset {
	t.Helper()
	set, err := data.Open(data.Config{Root: root, Size: 8})
	require.NoError(t, err)
	return set
}

// A folder that cannot be written is refused before anything is computed.
func TestOutputThatCannotBeWritten(t *testing.T) {
	torchtest.Setup(t)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	for _, output := range []string{file, filepath.Join(file, "below"), "/proc/nothing/below"} {
		_, err := runWith(context.Background(), tinyConfig(t, output), func(e event.Event) { t.Errorf("%s: %v", output, e) })
		var input *fault.InputError
		require.ErrorAs(t, err, &input, output)
		require.ErrorContains(t, input, "give another folder")
	}
}
