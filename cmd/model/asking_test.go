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
