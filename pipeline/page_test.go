package pipeline

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/config"
	"espalier/pipeline/event"
	"espalier/pipeline/page"
	"espalier/pipeline/pagetest"
	"espalier/pipeline/report"
)

// pageOf checks the page and the answers that a run has left, and that its folder gives the same again.
func pageOf(t *testing.T, folder string) pagetest.Page {
	t.Helper()
	p := pagetest.Check(t, filepath.Join(folder, page.Name))
	answers := checkAnswers(t, folder)
	path, err := WritePage(folder, func(e event.Event) { t.Errorf("%v", e) })
	require.NoError(t, err)
	again, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.True(t, p.HTML == string(again), "the same page from the folder")
	assert.True(t, answers == checkAnswers(t, folder), "the same answers from the folder")
	return p
}

// checkAnswers holds a run's answers.jsonl against its report, and gives its text.
func checkAnswers(t *testing.T, folder string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, page.AnswersName))
	require.NoError(t, err)
	r, err := report.Read(filepath.Join(folder, "report.json"))
	require.NoError(t, err)
	questions, teacher, student := 0., 0., 0.
	for line := range strings.Lines(string(text)) {
		var a page.Answered
		require.NoError(t, json.Unmarshal([]byte(line), &a))
		questions++
		if a.TeacherRight {
			teacher++
		}
		if a.StudentRight {
			student++
		}
		assert.NotEmpty(t, a.Question)
		if len(r.Students) > 1 {
			assert.Len(t, a.Students, len(r.Students))
			assert.Equal(t, a.Student, a.Students[r.Students[0].Name])
		}
	}
	require.NotZero(t, questions)
	assert.InDelta(t, r.Teacher.Accuracy[report.Overall], teacher/questions, 1e-9)
	assert.InDelta(t, r.Student.Accuracy[report.Overall], student/questions, 1e-9)
	return string(text)
}

// A finished run's data are opened by the checksums that the run has taken. Here they are forged, so that all pictures are one.
func TestDataAreOpenedAgainByTheRunsIndex(t *testing.T) {
	root := dataFolder(t, plainSplits())
	pictures, err := filepath.Glob(filepath.Join(root, "test", "*.png"))
	require.NoError(t, err)
	require.Len(t, pictures, 4)
	var lines strings.Builder
	lines.WriteString("espalier index 1\n")
	for _, path := range pictures {
		info, err := os.Stat(path)
		require.NoError(t, err)
		s := info.Sys().(*syscall.Stat_t)
		fmt.Fprintf(&lines, "%064d %d %d %d %d %q\n", 7, s.Size, s.Mtim.Nano(), s.Ctim.Nano(), s.Ino, path)
	}
	t.Setenv("XDG_CACHE_HOME", "") // there is no user's store, and the index is the run's own
	t.Setenv("HOME", "")
	for _, store := range []string{"user", t.TempDir()} {
		folder := t.TempDir()
		cfg, err := config.Parse("small.toml", smallRun, "data.root="+root, "output=/elsewhere", "store="+store)
		require.NoError(t, err)
		var resolved map[string]any // as a report holds it
		text, err := json.Marshal(cfg.Resolved())
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, &resolved))
		set, err := OpenAgain(folder, resolved, 0)
		require.NoError(t, err)
		assert.Equal(t, 4, set.Test.Len())
		set, err = OpenAgain(folder, resolved, 3)
		require.NoError(t, err)
		assert.Equal(t, []int{1, 3}, []int{set.Train.Len(), set.Test.Len()})

		index := filepath.Join(store, "files.json")
		if store == "user" {
			index = filepath.Join(folder, "kept", "files.json")
		}
		require.NoError(t, os.MkdirAll(filepath.Dir(index), 0o755))
		sum := sha256.Sum256([]byte(lines.String()))
		require.NoError(t, os.WriteFile(index, []byte(lines.String()+hex.EncodeToString(sum[:])), 0o600))
		set, err = OpenAgain(folder, resolved, 0)
		require.NoError(t, err)
		assert.Equal(t, 1, set.Test.Len())
	}
}
