package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/chain"
	"espalier/torch/disk"
)

// pipeline kept lists what a run or a folder of results holds, and removes one.
func TestKept(t *testing.T) {
	run, shared := filepath.Join(t.TempDir(), "run"), filepath.Join(t.TempDir(), "shared")
	c, err := chain.Open(chain.Environment{}, chain.Options{Folder: run, Shared: shared})
	require.NoError(t, err)
	step := chain.Step[string, int]{Name: "distil", Compute: func(_ context.Context, w *chain.Work, text string) (int, error) {
		w.Files(func(folder string) error { return disk.Write(filepath.Join(folder, "weights"), []byte(text)) })
		return 1, nil
	}}
	for _, text := range []string{"one", "two"} {
		_, err := chain.Do(context.Background(), c, chain.Place{At: "hidden/" + text}, step, text)
		require.NoError(t, err)
	}
	require.NoError(t, c.Close())
	status, stdout, _ := launch(t, nil, "kept", run)
	require.Equal(t, 0, status)
	assert.Contains(t, stdout, "hidden/one")
	assert.Contains(t, stdout, "2 results, ")
	status, stdout, _ = launch(t, nil, "kept", shared)
	require.Equal(t, 0, status)
	assert.NotContains(t, stdout, "hidden/one", "places are a run's")
	entries, err := os.ReadDir(shared)
	require.NoError(t, err)
	var id string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "distil-") {
			id = e.Name()
		}
	}
	status, stdout, _ = launch(t, nil, "kept", "-rm", id[:12], run)
	require.Equal(t, 0, status)
	assert.Contains(t, stdout, "removed "+filepath.Join(shared, id))
	status, stdout, _ = launch(t, nil, "kept", run)
	require.Equal(t, 0, status)
	assert.Contains(t, stdout, "removed")
	for _, args := range [][]string{{"kept", "-rm", "nothing", run}, {"kept", filepath.Join(run, "nowhere")}, {"kept", run, run}, {"kept", "-x"}} {
		status, _, stderr := launch(t, nil, args...)
		assert.Equal(t, 2, status, "%v", args)
		assert.NotEmpty(t, stderr)
	}
}

// What is damaged is listed with its size, and can be removed: a result, and a run's record of its chain. Other folders are no results.
func TestKeptOfWhatIsDamaged(t *testing.T) {
	run := filepath.Join(t.TempDir(), "run")
	c, err := chain.Open(chain.Environment{}, chain.Options{Folder: run})
	require.NoError(t, err)
	step := chain.Step[string, int]{Name: "distil", Compute: func(context.Context, *chain.Work, string) (int, error) { return 1, nil }}
	var results []chain.Kept[int]
	for _, text := range []string{"one", "two"} {
		result, err := chain.Do(context.Background(), c, chain.Place{At: "hidden/" + text}, step, text)
		require.NoError(t, err)
		results = append(results, result)
	}
	require.NoError(t, c.Close())
	require.NoError(t, os.MkdirAll(filepath.Join(run, "student"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(results[0].Folder, chain.ManifestName), []byte("{"), 0o644))

	status, stdout, _ := launch(t, nil, "kept", run)
	assert.Equal(t, 0, status)
	assert.Regexp(t, `distil-\w{8} +hidden/one +[1-9].* damaged`, stdout)
	require.NoError(t, os.WriteFile(filepath.Join(run, "chain.json"), []byte("{"), 0o644))
	status, stdout, stderr := launch(t, nil, "kept", run)
	assert.Equal(t, 2, status)
	assert.Contains(t, stdout, "2 results, ")
	assert.Contains(t, stderr, filepath.Join(run, "chain.json")+" cannot be read (unexpected end of JSON input)")
	status, _, _ = launch(t, nil, "kept", "-rm", filepath.Base(results[0].Folder), run)
	assert.Equal(t, 0, status)
	assert.NoDirExists(t, results[0].Folder)

	require.NoError(t, os.Remove(filepath.Join(run, "chain.json")))
	status, stdout, stderr = launch(t, nil, "kept", run)
	assert.Equal(t, 0, status)
	assert.Contains(t, stdout, "1 results, ")
	assert.Empty(t, stderr)
	status, _, _ = launch(t, nil, "kept", "-rm", "student", run)
	assert.Equal(t, 2, status)
}
