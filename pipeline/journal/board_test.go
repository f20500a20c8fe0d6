package journal

import (
	"bytes"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"espalier/distillation"
	"espalier/pipeline/event"
	"espalier/torch/disk"
)

// boardFile is the one file that a run has for TensorBoard.
func boardFile(t *testing.T, folder string) (name, text string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(folder, BoardName, "*.espalier.*"))
	require.NoError(t, err)
	require.Len(t, found, 1)
	return filepath.Base(found[0]), read(t, folder, filepath.Join(BoardName, filepath.Base(found[0])))
}

// Each start has a file of its own, under another name, in place of the one before; what others have put there stays.
func TestBoardFilesOfStarts(t *testing.T) {
	folder := t.TempDir()
	theirs := filepath.Join(folder, BoardName, "events.out.tfevents.1.host")
	require.NoError(t, os.MkdirAll(filepath.Dir(theirs), 0o755))
	require.NoError(t, os.WriteFile(theirs, nil, 0o644))
	j, _, _ := clocked(folder)
	j.Event(event.Note{Text: "no number"})
	none, err := filepath.Glob(filepath.Join(folder, BoardName, "*.espalier.*"))
	require.NoError(t, err)
	assert.Empty(t, none)
	var names []string
	for range 2 {
		j, _, _ := clocked(folder)
		j.Event(event.Curve{Phase: event.Phase{Stage: "hidden", Name: "distil", Detail: "cut 1/2"}, Points: []distillation.Point{{Step: 1, Loss: .5}, {Step: 2, Loss: .25}}})
		j.Event(event.Histograms{Of: event.Importance, Stage: "hidden", Cut: 1, Groups: map[string]event.Histogram{"vision heads": event.HistogramOf([]float64{1, 2}), "none": {}}})
		j.Event(event.Histograms{Of: event.Weights, Stage: "small/hidden", When: event.Pruned, Groups: map[string]event.Histogram{"vision": event.HistogramOf([]float64{1, 2})}})
		j.Event(event.Answers{Stage: "hidden", When: event.Distilled, Pictures: []event.Answered{{Place: "test 3", Picture: image.NewRGBA(image.Rect(0, 0, 8, 8)),
			Asked: []event.Asked{{Question: "a|b\nc <d>", Accepted: []string{"x", "y"}, Teacher: "x", Student: "z"}}}, {Place: "no picture"}}})
		j.End(event.Done, nil)
		name, text := boardFile(t, folder)
		names = append(names, name)
		for tag, times := range map[string]int{"loss/hidden distil cut 1/2": 2, "importance/hidden vision heads": 1, "weights/vision of small": 1, "answers/picture 1": 1, "answers/text": 1,
			`| 1: test 3 | a\|b c &lt;d> | x, y | x | z |`: 1} {
			assert.Equal(t, times, strings.Count(text, tag), tag)
		}
		assert.NotContains(t, text, "none")
		assert.NotContains(t, text, "picture 2")
	}
	assert.NotEqual(t, names[0], names[1])
	assert.FileExists(t, theirs)
}

// A disk that is full when the file is begun is told once, and the file comes when there is room.
func TestBoardWithoutADisk(t *testing.T) {
	folder := t.TempDir()
	j, now, notes := clocked(folder)
	restore := disk.Intercept(func(_ disk.Op, path string) error {
		if strings.Contains(path, BoardName) {
			return unix.ENOSPC
		}
		return nil
	})
	for range 3 {
		j.Event(event.Cut{Stage: "hidden", Cut: 1})
		*now = now.Add(retry)
	}
	restore()
	require.Len(t, *notes, 1)
	assert.Contains(t, (*notes)[0], "mkdir "+filepath.Join(folder, BoardName))
	j.Event(event.Cut{Stage: "hidden", Cut: 2})
	j.End(event.Done, nil)
	_, text := boardFile(t, folder)
	assert.True(t, bytes.HasPrefix([]byte(text[12+9+2:]), []byte("brain.Event:2")), "%.60q", text)
}

func TestTags(t *testing.T) {
	for want, n := range map[string]number{
		"loss/teacher train learn":  {phase: event.Phase{Stage: "teacher", Name: "train", Detail: "learn"}, name: "loss"},
		"accuracy/overall":          {phase: event.Phase{Stage: "blocks", Name: "measured", Detail: "pruned"}, name: "accuracy/overall"},
		"accuracy/overall of small": {phase: event.Phase{Stage: "small/blocks", Name: "measured", Detail: "pruned"}, name: "accuracy/overall"},
		"measured/parameters":       {phase: event.Phase{Stage: "blocks", Name: "measured"}, name: "parameters"},
		"gate/drop":                 {phase: event.Phase{Stage: "blocks", Name: "gate"}, name: "drop"},
		"cut/parameters blocks":     {phase: event.Phase{Stage: "blocks", Name: "cut"}, name: "parameters"},
		"":                          {phase: event.Phase{Stage: "blocks", Name: "candidate", Detail: "taylor"}, name: "accuracy_cut"},
	} {
		assert.Equal(t, want, tagOf(n))
	}
}
