package pipeline

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/chain"
	"espalier/pipeline/datatest"
	"espalier/pipeline/rows"
	"espalier/torch/torchtest"
)

// The same questions in another form are the same run: all of its steps have the same fingerprints, and there is one student.
func TestFormsAreTheSameRun(t *testing.T) {
	torchtest.Setup(t)
	var ids [][]string
	var weights [][]byte
	for i, form := range []rows.Form{rows.Lines, rows.Table, rows.List, rows.Shards, rows.Parquet} {
		root := t.TempDir()
		for s, split := range []string{"train", "validation", "test"} {
			var samples []datatest.Sample
			for n := range 8 - 2*s {
				samples = append(samples, datatest.Sample{Name: fmt.Sprintf("%s %d.png", split, n), Picture: datatest.Level(t, uint8(10*s+n), uint8(n)), Asked: []datatest.Asked{
					{Question: "what colour is it", Answers: []string{"it is red"}, Task: "colour", Category: "plain"},
					{Question: "which shape", Answers: []string{"a large square", "square"}, Task: "shape", Category: "plain"}}})
			}
			datatest.Write(t, root, split, form, samples)
		}
		out := filepath.Join(t.TempDir(), "run")
		_, notes, err := runOn(t, root, smallRun, "output="+out) // with a store of its own
		require.NoError(t, err, form)
		require.Contains(t, notes, "computed")
		all, err := chain.List(out)
		require.NoError(t, err)
		var of []string
		for _, l := range all {
			of = append(of, l.ID)
		}
		ids, weights = append(ids, of), append(weights, student(t, out))
		assert.ElementsMatch(t, ids[0], ids[i], form)
		assert.True(t, string(weights[0]) == string(weights[i]), form)
	}
}
