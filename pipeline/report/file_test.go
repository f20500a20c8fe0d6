package report

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWriteThenRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.json")
	r := example()
	r.Config = map[string]any{"seed": 1., "stage": []any{map[string]any{"name": "blocks"}}}
	require.NoError(t, r.Write(path))
	again, err := Read(path)
	require.NoError(t, err)
	assert.Equal(t, r, again)

	first, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, again.Write(path))
	second, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(first), string(second))
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, entries, 1, "nothing is left beside it")
}

// The names are read by other programs; this list is the contract of the design.
func TestFieldNames(t *testing.T) {
	text, err := json.Marshal(example())
	require.NoError(t, err)
	var tree map[string]any
	require.NoError(t, json.Unmarshal(text, &tree))
	keys := func(v any) []string {
		var names []string
		for name := range v.(map[string]any) {
			names = append(names, name)
		}
		return names
	}
	assert.ElementsMatch(t, strings.Fields("teacher student stages ratio seed threads seconds teacher_seconds peak_rss_bytes config versions"), keys(tree))
	teacher := tree["teacher"].(map[string]any)
	assert.ElementsMatch(t, strings.Fields("parameters parameters_by_part bytes accuracy accuracy_by_category ood latency_ms throughput"), keys(teacher))
	assert.ElementsMatch(t, strings.Fields("vision qformer projection language_blocks embeddings"), keys(teacher["parameters_by_part"]))
	assert.ElementsMatch(t, strings.Fields("p50 p99 batch"), keys(teacher["latency_ms"]))
	assert.ElementsMatch(t, strings.Fields("answers_per_s batch"), keys(teacher["throughput"]))
	stage := tree["stages"].([]any)[0].(map[string]any)
	assert.ElementsMatch(t, strings.Fields("name criterion attempts accepted gate cuts slice_mask_max_diff pruned distilled seconds"), keys(stage))
	assert.ElementsMatch(t, strings.Fields("alpha need verdict drop ci split"), keys(stage["gate"]))
	assert.ElementsMatch(t, strings.Fields("parameters slice_mask_max_diff"), keys(stage["cuts"].([]any)[0]))
	assert.ElementsMatch(t, strings.Fields("importance prune distil evaluate"), keys(stage["seconds"]))
	assert.ElementsMatch(t, strings.Fields("model language_blocks latency_p50 throughput"), keys(tree["ratio"]))
	assert.NotContains(t, stage["pruned"], "latency_ms", "what was not measured is left out, not 0")
}

// A NaN must neither reach the file nor cost the good one that is there.
func TestWriteRefusesWhatJSONCannotHold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.json")
	require.NoError(t, example().Write(path))
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	for want, breach := range map[string]func(*Report){
		"student.latency_ms.p50 is NaN":    func(r *Report) { r.Student.LatencyMS.P50 = math.NaN() },
		"ratio.throughput is +Inf":         func(r *Report) { r.Ratio.Throughput = math.Inf(1) },
		"stages[1].gate.ci[0] is -Inf":     func(r *Report) { r.Stages[1].Gate.CI[0] = math.Inf(-1) },
		"teacher.accuracy.color is NaN":    func(r *Report) { r.Teacher.Accuracy["color"] = math.NaN() },
		"config.stage[0].alpha is NaN":     func(r *Report) { r.Config["stage"] = []any{map[string]any{"alpha": math.NaN()}} },
		"stages[0].gate.alpha_task is NaN": func(r *Report) { nan := math.NaN(); r.Stages[0].Gate.AlphaTask = &nan },
	} {
		r := example()
		breach(r)
		assert.ErrorContains(t, r.Write(path), want)
	}
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(before), string(after))
}

func TestReadNamesWhatIsWrong(t *testing.T) {
	folder := t.TempDir()
	_, err := Read(filepath.Join(folder, "none.json"))
	assert.ErrorIs(t, err, os.ErrNotExist)
	path := filepath.Join(folder, "report.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"teachers": {}}`), 0o644))
	_, err = Read(path)
	assert.ErrorContains(t, err, path)
	assert.ErrorContains(t, err, `unknown field "teachers"`)
}
