package serve

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/datatest"
)

// reported is a run's report.json with these data.
func reported(data string) []byte {
	return []byte(`{"config": {"data": {` + data + `, "size": 24}, "teacher": {"checkpoint": "x"}, "stage": [{"name": "blocks", "keep": {"vision": 1}}]}}`)
}

// The run is found from its folder, and from one of several students.
func TestRunOfACheckpoint(t *testing.T) {
	run := t.TempDir()
	student := filepath.Join(run, "students", "small")
	require.NoError(t, os.MkdirAll(student, 0o755))
	assert.Equal(t, []string{filepath.Join(run, "students"), run}, runsOf(student+"/"))
	assert.Equal(t, []string{run}, runsOf(filepath.Join(run, "student")))
	t.Chdir(student)
	assert.Contains(t, runsOf("."), run)
}

// A checkpoint within a run's folder brings pictures of the run's test split, as the network saw them, with questions and answers.
func TestSamplesOfARun(t *testing.T) {
	_, web, _ := start(t, func(o *Options) {
		run := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(run, "report.json"), reported(`"source": "ads"`), 0o644))
		require.NoError(t, os.Rename(o.Folders[0], filepath.Join(run, "student")))
		o.Folders[0] = filepath.Join(run, "student")
	}, "blip2_opt")
	_, text := get(t, web.URL+"/samples")
	var found sampled
	require.NoError(t, json.Unmarshal([]byte(text), &found))
	require.Len(t, found.Samples, mostSamples, found.Note)
	for _, s := range found.Samples {
		require.NotEmpty(t, s.Questions)
		assert.NotEmpty(t, s.Questions[0].Answers)
		status, file := get(t, web.URL+s.Picture)
		assert.Equal(t, 200, status)
		assert.True(t, strings.HasPrefix(file, "\x89PNG"))
	}
	status, _ := get(t, web.URL+"/samples/12")
	assert.Equal(t, 404, status)
}

// Data of one file are divided as the run divided them.
func TestSamplesOfDividedData(t *testing.T) {
	root := t.TempDir()
	rows := "file_name,question,answer\n"
	for i := range 30 {
		name := fmt.Sprintf("%d.png", i)
		rows += name + ",which one," + fmt.Sprint(i) + "\n"
		require.NoError(t, os.WriteFile(filepath.Join(root, name), datatest.Level(t, uint8(8*i), 0), 0o644))
	}
	require.NoError(t, os.WriteFile(filepath.Join(root, "all.csv"), []byte(rows), 0o644))
	run := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(run, "report.json"), reported(fmt.Sprintf(`"root": %q, "split": "80/10/10"`, root)), 0o644))
	found, err := samplesOf(run)
	require.NoError(t, err)
	assert.Len(t, found, 3)
}

// Where the run's data are gone, the page says so and works.
func TestSamplesThatAreGone(t *testing.T) {
	_, web, _ := start(t, func(o *Options) {
		report := filepath.Join(filepath.Dir(o.Folders[0]), "report.json")
		require.NoError(t, os.WriteFile(report, reported(`"root": "/nowhere"`), 0o644))
	}, "blip2_opt")
	_, text := get(t, web.URL+"/samples")
	assert.Contains(t, text, `"samples":[]`)
	assert.Contains(t, text, "cannot be opened")
}
