package pipeline

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/report"
	"espalier/torch/torchtest"
)

// Metrics of free answers are measured where they are asked for, over all questions and for each task.
func TestMetricsOfARun(t *testing.T) {
	torchtest.Setup(t)
	splits := plainSplits()
	root := dataFolder(t, splits)
	r, _, err := runOn(t, root, smallRun, `eval.metrics=["anls", "cider", "rouge-l"]`)
	require.NoError(t, err)
	for _, m := range []report.Model{r.Teacher, r.Stages[0].Pruned, r.Student} {
		for _, name := range []string{"anls", "cider", "rouge-l"} {
			require.Len(t, m.Metrics[name], 3, name)
			mean := (m.Metrics[name]["colour"] + m.Metrics[name]["shape"]) / 2
			assert.InDelta(t, mean, m.Metrics[name][report.Overall], 1e-12, "as many questions of each task")
		}
	}
	var titles []string
	for _, table := range r.Tables() {
		titles = append(titles, table.Title)
	}
	assert.Contains(t, strings.Join(titles, "\n"), "other metrics")

	r, _, err = runOn(t, root, smallRun)
	require.NoError(t, err)
	assert.Nil(t, r.Teacher.Metrics)
	assert.Contains(t, faultOf(t, root, smallRun, `eval.metrics=["vqa"]`), `test/metadata.jsonl:1: eval.metrics has "vqa", which is defined for the answers of 10 people, and the question has 1`)
}
