package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stub is a program in the place of this one: it leaves a report beside its file, or fails where the file's seed is 2.
func stub(t *testing.T) string {
	t.Helper()
	report, err := filepath.Abs("testdata/report.json")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "stub")
	text := "#!/bin/sh\nif grep -q 'seed = 2' \"$2\"; then echo working; echo out of luck; exit 1; fi\ncp " + report + " \"$(dirname \"$2\")/report.json\"\n"
	require.NoError(t, os.WriteFile(path, []byte(text), 0o755))
	return path
}

// tried runs an experiment and gives its status and what it said.
func tried(t *testing.T, seeds string, conclusions string) (int, string) {
	t.Helper()
	base, err := filepath.Abs("../../run.toml")
	require.NoError(t, err)
	program := stub(t)
	t.Chdir(t.TempDir())
	text := "title = \"Sample\"\nbase = '" + base + "'\nseeds = " + seeds + "\ncolumns = [\"accuracy\"]\nconclusions = " + conclusions +
		"\n[[axis]]\nname = \"x\"\nsettings = [{ name = \"a\" }, { name = \"b\", set = [\"stage.hidden.distil.steps=7\"] }]\n"
	require.NoError(t, os.WriteFile("sample.toml", []byte(text), 0o644))
	out, err := os.Create("out")
	require.NoError(t, err)
	defer out.Close()
	var stderr strings.Builder
	got := try(trial{path: "sample.toml", lanes: 2, program: program}, out, &stderr)
	said, err := os.ReadFile("out")
	require.NoError(t, err)
	return got, string(said) + stderr.String()
}

func TestExperimentsRunTheirCells(t *testing.T) {
	status, said := tried(t, "[1]", `["a = b within 0"]`)
	assert.Equal(t, 0, status, said)
	assert.Contains(t, said, "sample: 2 runs, 2 at once")
	assert.Contains(t, said, "HOLDS: a = b within 0")
	for _, name := range []string{"results.csv", "results.jsonl", "plot.png", "a-1/cell.toml", "b-1/cell.log"} {
		assert.FileExists(t, filepath.Join("runs/experiments/sample", name))
	}
	cell, err := os.ReadFile("runs/experiments/sample/b-1/cell.toml")
	require.NoError(t, err)
	assert.Contains(t, string(cell), "steps = 7")
}

func TestAFailedCellIsARow(t *testing.T) {
	status, said := tried(t, "[1, 2]", "[]")
	assert.Equal(t, 1, status, said)
	assert.Contains(t, said, "b, seed 2: failed: out of luck")
}

func TestAConclusionThatDoesNotHoldIsAFailure(t *testing.T) {
	status, said := tried(t, "[1]", `["a > b by at least 1"]`)
	assert.Equal(t, 1, status, said)
	assert.Contains(t, said, "DOES NOT HOLD: a > b by at least 1")
}

// A setting's command gets its arguments, then -c and the cell's file, and leaves the report.
func TestACommandMakesACell(t *testing.T) {
	base, err := filepath.Abs("../../run.toml")
	require.NoError(t, err)
	report, err := filepath.Abs("testdata/report.json")
	require.NoError(t, err)
	t.Chdir(t.TempDir())
	script := "#!/bin/sh\necho \"$@\" > said\ncp " + report + " \"$(dirname \"$3\")/report.json\"\n"
	require.NoError(t, os.WriteFile("other", []byte(script), 0o755))
	text := "title = \"Sample\"\nbase = '" + base + "'\nseeds = [1]\ncolumns = [\"accuracy\", \"stage seconds\"]\n[[axis]]\nname = \"x\"\nsettings = [{ name = \"a\", command = [\"./other\", \"-way\"] }]\n"
	require.NoError(t, os.WriteFile("sample.toml", []byte(text), 0o644))
	out, err := os.Create("out")
	require.NoError(t, err)
	defer out.Close()
	var stderr strings.Builder
	require.Equal(t, 0, try(trial{path: "sample.toml", lanes: 1, program: "nowhere"}, out, &stderr), &stderr)
	said, err := os.ReadFile("said")
	require.NoError(t, err)
	assert.Equal(t, "-way -c runs/experiments/sample/a-1/cell.toml\n", string(said))
}

func TestFlagsOfExperiments(t *testing.T) {
	var stderr strings.Builder
	assert.Equal(t, 2, command([]string{"-c", "../../run.toml", "-quick"}, os.Stdout, &stderr, nil))
	assert.Contains(t, stderr.String(), "-quick, -write and -lanes are of experiments")
}
