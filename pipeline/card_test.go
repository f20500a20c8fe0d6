package pipeline

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"espalier/model/modeltest"
	"espalier/pipeline/config"
	"espalier/pipeline/report"
	"espalier/pipeline/stage"
	"espalier/torch/torchtest"
)

// checkCard holds the card of a student of plainSplits against the run's report.
func checkCard(t *testing.T, folder string, r *report.Report, loads bool) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "README.md"))
	require.NoError(t, err)
	parts := strings.SplitN(string(text), "---\n", 3) // no name of plainSplits has these
	require.Len(t, parts, 3)
	var front struct {
		License string `yaml:"license"`
		Library string `yaml:"library_name"`
		Index   []struct {
			Results []struct {
				Dataset struct{ Split string }
				Metrics []struct {
					Value float64
					Name  string
				}
			}
		} `yaml:"model-index"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(parts[1]), &front))
	assert.Equal(t, "unknown", front.License)
	assert.Equal(t, loads, front.Library == "transformers")
	assert.Equal(t, loads, strings.Contains(parts[2], "```python"))
	require.Len(t, front.Index[0].Results, 1)
	test := front.Index[0].Results[0]
	assert.Equal(t, "test", test.Dataset.Split)
	require.Len(t, test.Metrics, 3)
	for i, task := range []string{report.Overall, "colour", "shape"} {
		assert.InDelta(t, r.Student.Accuracy[task], test.Metrics[i].Value, 1e-4, task)
	}
	a := r.Student.Accuracy
	for _, row := range []string{
		fmt.Sprintf("| parameters | %s | %s | %.1f× |", grouped(r.Teacher.Parameters), grouped(r.Student.Parameters), r.Ratio.Model),
		fmt.Sprintf("| test | overall | 4 | 8 | %.1f | %.1f |", 100*r.Teacher.Accuracy[report.Overall], 100*a[report.Overall]),
		fmt.Sprintf("| test | shape | 4 | 4 | %.1f | %.1f |", 100*r.Teacher.Accuracy["shape"], 100*a["shape"]),
		"| validation | overall | 6 | 12 |",
		"| 1 blocks | vision: blocks 2 → 1; language: blocks 2 → 1 | magnitude | 1 | 2 |",
	} {
		assert.Contains(t, parts[2], row)
	}
	for _, machine := range []string{folder, os.TempDir(), "latency", " ms"} {
		assert.NotContains(t, string(text), machine)
	}
}

// The card of an int8 student names a command that convert takes: where to write, and what to read.
func TestCardOfAnInt8Student(t *testing.T) {
	torchtest.Setup(t)
	cfg := config.Default()
	cfg.Export.DType = "int8"
	why, rewrite := unloadable(cfg, stage.Input{}, modeltest.Family(t, "blip2_opt"))
	assert.NotContains(t, why, "`", "the card escapes it")
	assert.Equal(t, "go run ./cmd/model convert -out NEW FOLDER", rewrite)
}

func grouped(n int64) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, int64(math.Mod(float64(n), 1000)))
}

// A teacher's name is that of its folder, or its id where Hugging Face's cache has it; no other part of a path is told.
func TestTeacherName(t *testing.T) {
	for folder, want := range map[string][2]string{
		"/home/someone/models/opt-teacher/": {"opt-teacher", ""},
		"weights/teacher.pt":                {"teacher.pt", ""},
		"/home/someone/.cache/huggingface/hub/models--Salesforce--blip2-opt-2.7b/snapshots/59a1ef6c1e5117b3f65523d1c6066825bcf315e3": {"Salesforce/blip2-opt-2.7b", "Salesforce/blip2-opt-2.7b"},
		"/x/models--gpt2/snapshots/1": {"1", ""},
	} {
		name, id := teacherName(folder)
		assert.Equal(t, want, [2]string{name, id}, folder)
	}
}
