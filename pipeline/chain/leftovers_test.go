package chain_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/chain"
	"espalier/torch/disk"
)

// What killed runs have left under temporary names goes with the next run, from the shared folder too.
func TestTemporaryFilesOfKilledRunsGo(t *testing.T) {
	f := newFolders(t)
	var left []string
	for _, folder := range []string{f.run, filepath.Join(f.run, "kept"), f.shared, filepath.Join(f.shared, ".work")} {
		name := filepath.Join(folder, ".a.00000000000000000001.tmp")
		require.NoError(t, os.MkdirAll(name, 0o755))
		left = append(left, name)
	}
	f.with(t, nil, func(*chain.Chain) {})
	for _, name := range left {
		assert.NoDirExists(t, name)
	}
}

// A run that is killed when a result is in its place, and the folder of its work not yet away, leaves that to the next one.
func TestWorkOfAFinishedResultGoes(t *testing.T) {
	f, k := newFolders(t), &counted{}
	in := input{Text: "x", Times: 3}
	var out chain.Kept[int]
	do := func(c *chain.Chain) { out, _ = chain.Do(context.Background(), c, at("a"), k.write(), in) }
	f.with(t, nil, do)
	state := filepath.Join(f.shared, ".work", filepath.Base(out.Folder), "state")
	require.NoError(t, os.MkdirAll(state, 0o755))
	f.with(t, nil, do)
	assert.True(t, out.Reused)
	assert.NoDirExists(t, state)
}

// A shared folder that cannot be written is told once; what is in it serves all the same.
func TestASharedFolderThatCannotBeWritten(t *testing.T) {
	f, k := newFolders(t), &counted{}
	do := func(c *chain.Chain, text string) (out chain.Kept[int]) {
		out, err := chain.Do(context.Background(), c, at(text), k.write(), input{Text: text, Times: 3})
		require.NoError(t, err)
		return out
	}
	f.with(t, nil, func(c *chain.Chain) { do(c, "b") })
	f.run = filepath.Join(t.TempDir(), "other")
	restore := disk.Intercept(func(op disk.Op, path string) error {
		if strings.HasPrefix(path, f.shared) {
			return errors.New("read-only")
		}
		return nil
	})
	notes := f.with(t, nil, func(c *chain.Chain) {
		assert.True(t, strings.HasPrefix(do(c, "a").Folder, f.run))
		assert.True(t, do(c, "b").Reused)
		assert.True(t, strings.HasPrefix(do(c, "c").Folder, f.run))
	})
	restore()
	assert.Equal(t, 1, strings.Count(notes, "read-only"), notes)
	assert.Contains(t, notes, "keeps its results in "+filepath.Join(f.run, "kept"))
}

// What an interrupted attempt has left is there for the next one, and gone when the result is kept.
func TestStateIsThereForTheNextAttempt(t *testing.T) {
	f := newFolders(t)
	var state string
	step := chain.Step[input, string]{Name: "train", Compute: func(ctx context.Context, w *chain.Work, _ input) (string, error) {
		state = w.State()
		if text, err := os.ReadFile(filepath.Join(state, "place")); err == nil {
			return string(text), nil
		}
		if err := disk.MkdirAll(state); err != nil {
			return "", err
		}
		if err := disk.Write(filepath.Join(state, "place"), []byte("step 7")); err != nil {
			return "", err
		}
		return "", context.Canceled
	}}
	f.with(t, nil, func(c *chain.Chain) {
		_, err := chain.Do(context.Background(), c, at("a"), step, input{})
		require.ErrorIs(t, err, context.Canceled)
		out, err := chain.Do(context.Background(), c, at("a"), step, input{})
		require.NoError(t, err)
		assert.Equal(t, "step 7", out.Value)
	})
	assert.NoDirExists(t, state)
}

// What a killed attempt has left in a result's folder is no part of the result.
func TestLeftoversAreNoPartOfAResult(t *testing.T) {
	f, k := newFolders(t), &counted{}
	in := input{Text: "x", Times: 3}
	var want, got chain.Kept[int]
	f.with(t, nil, func(c *chain.Chain) { want, _ = chain.Do(context.Background(), c, at("a"), k.write(), in) })
	left := filepath.Join(f.shared, ".work", filepath.Base(want.Folder), "result")
	require.NoError(t, os.RemoveAll(want.Folder))
	require.NoError(t, os.MkdirAll(left, 0o755))
	for _, name := range []string{"text", "old", ".text.00000000000000000001.tmp"} {
		require.NoError(t, os.WriteFile(filepath.Join(left, name), []byte("half"), 0o644))
	}
	f.with(t, nil, func(c *chain.Chain) { got, _ = chain.Do(context.Background(), c, at("a"), k.write(), in) })
	assert.Equal(t, want.Content, got.Content)
	files, err := os.ReadDir(got.Folder)
	require.NoError(t, err)
	assert.Len(t, files, 3)

	// Work that was interrupted counts against the limit too.
	old := filepath.Join(f.shared, ".work", "old-1")
	require.NoError(t, os.MkdirAll(old, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(old, "state"), make([]byte, 10_000), 0o644))
	past := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(old, past, past))
	f.with(t, func(o *chain.Options) { o.Limit = 9000 }, func(*chain.Chain) {})
	assert.NoDirExists(t, old)
	assert.DirExists(t, got.Folder)
}
