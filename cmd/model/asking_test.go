package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/torch/torchtest"
)

// The same picture under odd names, in other folders and by its absolute path gets the same answer.
func TestNamesOfAskedPictures(t *testing.T) {
	torchtest.Setup(t)
	folder, questions := speaking(t, "blip2_opt")
	beside := filepath.Dir(questions)
	data, err := os.ReadFile(filepath.Join(beside, "3.png"))
	require.NoError(t, err)
	absolute := filepath.Join(t.TempDir(), "elsewhere.png")
	require.NoError(t, os.WriteFile(absolute, data, 0o644))
	names := []string{"3.png", absolute}
	for _, name := range []string{"A PHOTO.PNG", "100%25 %d %s.png", "wrong ending.JPEG", "no ending", "ümläut – 图.png", "below/it.png"} {
		path := filepath.Join(beside, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, data, 0o644))
		names = append(names, name)
	}
	var lines strings.Builder
	for _, name := range names {
		fmt.Fprintf(&lines, "{\"file_name\": %q, \"question\": \"color\"}\n", name)
	}
	file, fed := filepath.Join(beside, "names.jsonl"), t.TempDir()
	require.NoError(t, os.WriteFile(file, []byte(lines.String()), 0o644))
	found := answersOf(t, "-m", folder, "-ask", file, "-inputs", fed)
	require.Len(t, found, len(names))
	pixels, err := os.ReadFile(filepath.Join(fed, pixelsName))
	require.NoError(t, err)
	each := len(pixels) / len(names)
	for i, name := range names {
		assert.Equal(t, name, found[i].Picture)
		assert.Equal(t, found[0].IDs, found[i].IDs, name)
		assert.Equal(t, pixels[:each], pixels[i*each:(i+1)*each], name)
	}
}

// A question that the network has no positions for, or whose bytes are no text, is refused with its line before any is answered.
func TestQuestionsThatCannotBeAsked(t *testing.T) {
	torchtest.Setup(t)
	for _, family := range []string{"blip2_opt", "instructblip_t5"} {
		folder, questions := speaking(t, family)
		picture, long := filepath.Join(filepath.Dir(questions), "3.png"), strings.Repeat("color ", 3000)
		file := filepath.Join(filepath.Dir(questions), "cannot.jsonl")
		for text, want := range map[string]string{long: "cannot.jsonl:2: the question has ", "caf\xe9": "cannot.jsonl:2: not UTF-8"} {
			line := `{"file_name": "3.png", "question": "`
			require.NoError(t, os.WriteFile(file, []byte(line+"color\"}\n"+line+text+"\"}\n"), 0o644))
			var out, faults strings.Builder
			assert.Equal(t, 2, command([]string{"generate", "-device", "cpu", "-m", folder, "-ask", file}, &out, &faults))
			assert.Contains(t, faults.String(), want)
			assert.Empty(t, out.String())
		}
		var out, faults strings.Builder
		assert.Equal(t, 2, command([]string{"generate", "-device", "cpu", "-m", folder, "-image", picture, "-question", long}, &out, &faults))
		assert.Contains(t, faults.String(), "-question: the question has ")
	}
}
