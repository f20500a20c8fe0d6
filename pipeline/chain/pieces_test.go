package chain_test

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/chain"
	"espalier/torch"
)

// A result that was computed in pieces is this run's alone, and a recheck takes the same pieces, however much memory there is.
func TestAResultInPieces(t *testing.T) {
	f, fits := newFolders(t), 1
	var tried [][]int
	step := chain.Step[input, []int]{Name: "score", Compute: func(_ context.Context, w *chain.Work, _ input) (out []int, err error) {
		for batch := range 3 {
			err := w.Pieces("scores", 4).Do(batch, func(pieces int) error {
				if batch > 0 && 4/pieces > fits {
					return &torch.Error{Kind: torch.KindMemory, Message: "no room"}
				}
				out = append(out, pieces) // as rounding would
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
		tried = append(tried, out)
		return out, nil
	}}
	run := func(recheck bool) (kept chain.Kept[[]int], notes string) {
		notes = f.with(t, func(o *chain.Options) { o.Recheck = recheck }, func(c *chain.Chain) {
			var err error
			kept, err = chain.Do(context.Background(), c, at("score"), step, input{})
			require.NoError(t, err)
			require.NoError(t, c.Rechecked())
		})
		return kept, notes
	}
	kept, notes := run(false)
	assert.Equal(t, []int{1, 4, 4}, kept.Value)
	assert.Contains(t, notes, "scores: there is not enough memory")
	assert.Contains(t, kept.Folder, f.run)
	text, err := os.ReadFile(kept.Folder + "/" + chain.ManifestName)
	require.NoError(t, err)
	assert.Regexp(t, `"pieces": \{\s*"scores": \[`, string(text))
	fits = 4
	_, notes = run(true)
	assert.Contains(t, notes, "all to the same bytes")
	assert.Equal(t, [][]int{{1, 4, 4}, {1, 4, 4}}, tried)

	f, fits = newFolders(t), 4
	kept, _ = run(false)
	assert.Contains(t, kept.Folder, f.shared)
	text, err = os.ReadFile(kept.Folder + "/" + chain.ManifestName)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "pieces")
}
