package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/pagetest"
)

// report.html is written again from a finished run's folder; what is gone is left out and told. A folder that is no run's is the user's fault.
func TestReportCommand(t *testing.T) {
	run := func(args ...string) (status int, out, faults string) {
		stdout, err := os.Create(filepath.Join(t.TempDir(), "out"))
		require.NoError(t, err)
		defer stdout.Close()
		var stderr bytes.Buffer
		status = command(append([]string{"report"}, args...), stdout, &stderr, nil)
		text, err := os.ReadFile(stdout.Name())
		require.NoError(t, err)
		return status, string(text), stderr.String()
	}
	folder := t.TempDir()
	text, err := os.ReadFile(filepath.Join("testdata", "report.json"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "report.json"), text, 0o644))
	status, out, faults := run(folder)
	assert.Equal(t, 0, status, faults)
	assert.Contains(t, out, "report.html is without the gallery")
	assert.Contains(t, out, filepath.Join(folder, "report.html")+"\n")
	p := pagetest.Check(t, filepath.Join(folder, "report.html"))
	assert.Contains(t, p.Text, "18.5× smaller")

	other := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(other, "report.json"), []byte("{}"), 0o644))
	for want, args := range map[string][]string{"usage: pipeline report RUN": {}, "has no config": {other}, "has no report.json": {t.TempDir()}, "pipeline report RUN": {folder, folder}} {
		status, _, faults = run(args...)
		assert.Equal(t, 2, status)
		assert.Contains(t, faults, want)
	}
	assert.NoFileExists(t, filepath.Join(other, "report.html"))
}
