package main

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
)

var asked = flag.String("asked", "", "folder of checkpoints made by bench/parity/asked.py")

// TestAnswersEqualTransformers is run by `make parity`: whole checkpoints as transformers has saved them, with their
// processors and tokenizers, answer questions about pictures as transformers does.
func TestAnswersEqualTransformers(t *testing.T) {
	if *asked == "" {
		t.Skip("no -asked given: run make parity")
	}
	files, err := filepath.Glob(filepath.Join(*asked, "*", "asked.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		var questions []struct {
			answer
			Image   string
			Margins []float64
		}
		require.NoError(t, json.Unmarshal(data, &questions))
		folder := filepath.Dir(file)
		c, err := model.LoadConfig(folder)
		require.NoError(t, err)
		whole := 0
		for _, q := range questions {
			status, out, faults := call("generate", "-m", folder, "-image", filepath.Join(folder, q.Image), "-question", q.Question,
				"-max-new-tokens", "10", "-device", "cpu", "-json")
			require.Zero(t, status, faults)
			var got answer
			require.NoError(t, json.Unmarshal([]byte(out), &got))
			sure := 0 // ids up to the first near tie
			for sure < len(q.Margins) && q.Margins[sure] >= 1e-3 {
				sure++
			}
			if n := min(sure, len(q.IDs)); n < len(q.IDs) {
				require.GreaterOrEqual(t, len(got.IDs), n)
				assert.Equal(t, q.IDs[:n], got.IDs[:n], "%s: %q", folder, q.Question)
				continue
			}
			assert.Equal(t, q.IDs, got.IDs, "%s: %q", folder, q.Question)
			if !slices.Contains(q.IDs, c.Text.Pad) { // at padding an answer ends, for this program
				whole++
				assert.Equal(t, q.Answer, got.Answer, "%s: %q", folder, q.Question)
			}
		}
		assert.GreaterOrEqual(t, whole, len(questions)/2, "%s: most answers are compared whole", folder)
	}
}
