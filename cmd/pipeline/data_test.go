package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/datatest"
	"espalier/pipeline/rows"
)

// A sound folder gives status 0 and a table, one with faults status 2 and a line for each.
func TestDataCheck(t *testing.T) {
	root := t.TempDir()
	samples := []datatest.Sample{{Name: "a.png", Picture: datatest.Level(t, 1, 2), Asked: []datatest.Asked{{Question: "which", Answers: []string{"one"}}}}}
	datatest.Write(t, root, "train", rows.Lines, samples)
	datatest.Write(t, root, "test", rows.Table, samples)
	check := func(args ...string) (status int, out, faults string) {
		stdout, err := os.Create(filepath.Join(t.TempDir(), "out"))
		require.NoError(t, err)
		defer stdout.Close()
		var stderr bytes.Buffer
		status = command(append([]string{"data"}, args...), stdout, &stderr, nil)
		text, err := os.ReadFile(stdout.Name())
		require.NoError(t, err)
		return status, string(text), stderr.String()
	}
	status, out, faults := check("check", root)
	assert.Equal(t, 0, status)
	assert.Empty(t, faults)
	assert.Contains(t, out, "note: 1 picture of test is also in train")
	assert.Regexp(t, `train +JSON lines +1 +1 +1 +[0-9a-f]{12}\n`, out)
	assert.Regexp(t, `test +CSV table +1 +1 +1 +[0-9a-f]{12}\n`, out)

	require.NoError(t, os.WriteFile(filepath.Join(root, "test.csv"), []byte("path,question,answer\na.png,which,\nb.png,which,one\n"), 0o644))
	status, out, faults = check("check", root)
	assert.Equal(t, 2, status)
	assert.Equal(t, "2 faults\n", faults)
	assert.Contains(t, out, filepath.Join(root, "test.csv")+`:2: no "answer"`)
	assert.Contains(t, out, filepath.Join(root, "test.csv")+":3: there is no picture "+filepath.Join(root, "b.png"))

	for _, args := range [][]string{{}, {"check"}, {"list", root}, {"check", root, root}} {
		status, _, faults = check(args...)
		assert.Equal(t, 2, status)
		assert.Contains(t, faults, "usage: pipeline data check FOLDER")
	}
}
