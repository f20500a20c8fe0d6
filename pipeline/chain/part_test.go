package chain_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/chain"
	"espalier/torch/disk"
)

// squares is a step that lists square numbers, and can be stopped before any of them.
type squares struct {
	stop     int  // before this one; -1: never
	killed   bool // then it cannot keep anything
	computed []int
}

var errStopped = errors.New("stopped")

func (q *squares) step() chain.Step[input, []int] {
	return chain.Step[input, []int]{Name: "squares", Compute: func(_ context.Context, w *chain.Work, in input) ([]int, error) {
		part := chain.Resume[[]int](w, "squares")
		out := part.Value
		for i := part.Done; i < in.Times; i++ {
			if i == q.stop {
				if !q.killed {
					part.Keep()
				}
				return nil, errStopped
			}
			q.computed = append(q.computed, i)
			out = append(out, i*i)
			part.Add(i+1, out)
		}
		return out, nil
	}}
}

func (q *squares) do(c *chain.Chain) (chain.Kept[[]int], error) {
	return chain.Do(context.Background(), c, chain.Place{At: "squares"}, q.step(), input{Times: 4})
}

// Stopped anywhere, a step goes on behind what it had; the state goes when the result is kept.
func TestPartsGoOn(t *testing.T) {
	for stop := range 4 {
		f := newFolders(t)
		first, then := &squares{stop: stop}, &squares{stop: -1}
		f.with(t, nil, func(c *chain.Chain) {
			_, err := first.do(c)
			require.ErrorIs(t, err, errStopped)
		})
		notes := f.with(t, nil, func(c *chain.Chain) {
			kept, err := then.do(c)
			require.NoError(t, err)
			assert.Equal(t, []int{0, 1, 4, 9}, kept.Value)
			assert.NoDirExists(t, filepath.Join(filepath.Dir(kept.Folder), "state"))
		})
		assert.Equal(t, []int{0, 1, 2, 3}, append(first.computed, then.computed...), "stopped before %d", stop)
		assert.NotContains(t, notes, "cannot be used")
	}
}

// With keep_every a part is kept as it grows, so that a killed step goes on too; one that cannot be kept, or is damaged, is
// told, and the result is right all the same.
func TestPartsOfAKilledStep(t *testing.T) {
	f := newFolders(t)
	often := func(o *chain.Options) { o.KeepEvery = 1 }
	var place string
	restore := disk.Intercept(func(op disk.Op, path string) error {
		if filepath.Base(path) == disk.PlaceName && op == disk.OpRename {
			place = path
		}
		return nil
	})
	f.with(t, often, func(c *chain.Chain) {
		_, err := (&squares{stop: 1, killed: true}).do(c)
		require.ErrorIs(t, err, errStopped)
	})
	restore()
	require.FileExists(t, place)
	then := &squares{stop: 2}
	f.with(t, nil, func(c *chain.Chain) {
		_, err := then.do(c)
		require.ErrorIs(t, err, errStopped)
	})
	assert.Equal(t, []int{1}, then.computed)

	text, err := os.ReadFile(place)
	require.NoError(t, err)
	text[len(text)/2] ^= 1
	require.NoError(t, os.WriteFile(place, text, 0o644))
	anew := &squares{stop: -1}
	restore = disk.Intercept(func(op disk.Op, path string) error {
		if filepath.Base(path) == disk.PlaceName && op == disk.OpRename {
			return os.ErrPermission
		}
		return nil
	})
	notes := f.with(t, often, func(c *chain.Chain) {
		kept, err := anew.do(c)
		require.NoError(t, err)
		assert.Equal(t, []int{0, 1, 4, 9}, kept.Value)
	})
	restore()
	assert.Equal(t, []int{0, 1, 2, 3}, anew.computed)
	assert.Contains(t, notes, fmt.Sprintf("%s is damaged", place))
	assert.Contains(t, notes, "squares: the state after 1 cannot be kept")
}
