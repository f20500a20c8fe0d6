package chain_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/chain"
	"espalier/torch/disk"
)

// A recheck finds what moves a result without being an input of it.
func TestRecheckFindsHiddenInputs(t *testing.T) {
	f, k := newFolders(t), &counted{}
	clock := chain.Step[input, string]{Name: "clock", Compute: func(context.Context, *chain.Work, input) (string, error) {
		return time.Now().Format(time.RFC3339Nano), nil
	}}
	timed := clock
	timed.Name, timed.Own = "timed", true
	global := 0
	file := chain.Step[input, int]{Name: "file", Compute: func(_ context.Context, w *chain.Work, _ input) (int, error) {
		global++
		text := strings.Repeat("x", global)
		w.Files(func(folder string) error { return disk.Write(filepath.Join(folder, "weights"), []byte(text)) })
		return 1, nil
	}}
	run := func(recheck bool) (err error) {
		f.with(t, func(o *chain.Options) { o.Recheck = recheck }, func(c *chain.Chain) {
			_, err = chain.Do(context.Background(), c, at("good"), k.write(), input{Text: "x", Times: 1})
			require.NoError(t, err)
			_, err = chain.Do(context.Background(), c, at("times"), timed, input{})
			require.NoError(t, err)
			_, err = chain.Do(context.Background(), c, at("clock"), clock, input{})
			require.NoError(t, err)
			_, err = chain.Do(context.Background(), c, at("file"), file, input{})
			require.NoError(t, err)
			err = c.Rechecked()
		})
		return err
	}
	require.NoError(t, run(false))
	require.NoError(t, run(false))
	err := run(true)
	require.Error(t, err)
	assert.Contains(t, err.Error(), "clock: its value")
	assert.Contains(t, err.Error(), "file: weights")
	assert.NotContains(t, err.Error(), "good")
	assert.NotContains(t, err.Error(), "times")
	assert.Equal(t, 2, k.calls)
}
