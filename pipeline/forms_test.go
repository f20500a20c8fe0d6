package pipeline

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/datatest"
	"espalier/pipeline/rows"
	"espalier/torch/torchtest"
)

// The same questions in another form are the same run: all of its results are found again, and there is one student.
func TestFormsAreTheSameRun(t *testing.T) {
	torchtest.Setup(t)
	store := t.TempDir()
	var weights []byte
	for i, form := range []rows.Form{rows.Lines, rows.Table, rows.List, rows.Shards, rows.Parquet} {
		root := t.TempDir()
		for s, split := range []string{"train", "validation", "test"} {
			var samples []datatest.Sample
			for _, n := range []int{0, 1, 2, 3, 4, 5, 6, 7}[:8-2*s] {
				samples = append(samples, datatest.Sample{Name: split + string(rune('a'+n)) + ".png", Picture: datatest.Level(t, uint8(10*s+n), uint8(n)), Asked: []datatest.Asked{
					{Question: "what colour is it", Answers: []string{"it is red"}, Task: "colour", Category: "plain"},
					{Question: "which shape", Answers: []string{"a large square", "square"}, Task: "shape", Category: "plain"}}})
			}
			datatest.Write(t, root, split, form, samples)
		}
		out := filepath.Join(t.TempDir(), "run")
		_, notes, err := runOn(t, root, smallRun, "store="+store, "output="+out)
		require.NoError(t, err, form)
		if i == 0 {
			weights = student(t, out)
			require.Contains(t, notes, "computed")
			continue
		}
		assert.NotContains(t, notes, "computed", form)
		assert.True(t, string(weights) == string(student(t, out)), form)
	}
}
