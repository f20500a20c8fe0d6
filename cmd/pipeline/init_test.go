package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/config"
	"espalier/pipeline/datatest"
	"espalier/pipeline/doctor"
	"espalier/pipeline/rows"
)

// A file is written once, says what was found, and is a configuration; the next command is said.
func TestInit(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	root, path := t.TempDir(), filepath.Join(t.TempDir(), "my own.toml")
	var samples []datatest.Sample
	for i := range 20 {
		samples = append(samples, datatest.Sample{Name: fmt.Sprintf("%d.png", i), Picture: datatest.Level(t, uint8(i), 3), Asked: []datatest.Asked{{Question: "which", Answers: []string{"one"}}}})
	}
	datatest.Write(t, root, "train", rows.Lines, samples)
	status, out, faults := launch(t, nil, "init", "-data", root, "-out", path)
	require.Equal(t, 0, status, faults)
	assert.Contains(t, out, "found: "+root+": 20 pictures of 8 × 8 pixels, 20 questions (JSON lines)")
	assert.Contains(t, out, "go run ./cmd/pipeline -c '"+path+"' -plan")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	cfg, err := config.Load(path)
	require.NoError(t, err)
	assert.Equal(t, root, cfg.Data.Root)
	assert.Contains(t, string(text), "# found: pictures: train 16, validation 2, test 2; data.split divides them")

	status, _, faults = launch(t, nil, "init", "-data", root, "-out", path)
	assert.Equal(t, 2, status)
	assert.Contains(t, faults, path+" is there already; name another file with -out, or remove it")
	again, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, text, again)
	for want, args := range map[string][]string{
		"name your pictures and questions with -data":      {},
		"unexpected argument":                              {root},
		"there is no such folder or file; give the folder": {"-data", filepath.Join(root, "none"), "-out", path + "2"},
		"-modell": {"-modell", root},
		"there is no such folder or file; name a checkpoint's": {"-data", root, "-model", filepath.Join(root, "none"), "-out", path + "2"},
	} {
		status, _, faults := launch(t, nil, append([]string{"init"}, args...)...)
		assert.Equal(t, 2, status, want)
		assert.Contains(t, faults, want)
	}
	assert.NoFileExists(t, path+"2")
}

func TestDoctor(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	status, out, faults := launch(t, nil, "doctor")
	assert.Equal(t, 0, status)
	assert.Empty(t, faults)
	assert.Regexp(t, `(?m)^ok     libtorch      2\.\d+`, out)
	assert.Contains(t, out, "cache folder")
	status, out, _ = launch(t, nil, "doctor", "-json")
	assert.Equal(t, 0, status)
	var findings []doctor.Finding
	require.NoError(t, json.Unmarshal([]byte(out), &findings))
	assert.Len(t, findings, 7)
	status, _, faults = launch(t, nil, "doctor", "now")
	assert.Equal(t, 2, status)
	assert.Contains(t, faults, "unexpected argument")
}
