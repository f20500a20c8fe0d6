package model_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
)

// The number of query tokens changes where processor_config.json says another one; all else in the file stays, and so does a file
// that says nothing of it.
func TestPreprocessorWithQueries(t *testing.T) {
	const pictures = `"image_processor": {"size": 28, "rescale_factor": 0.00392156862745098}`
	for text, want := range map[string]string{
		`{"num_query_tokens": 32, ` + pictures + `, "processor_class": "Blip2Processor"}`: `{"num_query_tokens": 8, ` + pictures + `, "processor_class": "Blip2Processor"}`,
		`{` + pictures + `}`:                           `{` + pictures + `}`,
		`{"num_query_tokens": null, ` + pictures + `}`: `{"num_query_tokens": null, ` + pictures + `}`,
	} {
		from, to := t.TempDir(), t.TempDir()
		write(t, from, "processor_config.json", text)
		p, err := model.LoadPreprocessor(from)
		require.NoError(t, err)
		q, err := p.WithQueries(8)
		require.NoError(t, err)
		require.NoError(t, q.Save(to))
		written, err := os.ReadFile(filepath.Join(to, "processor_config.json"))
		require.NoError(t, err)
		assert.JSONEq(t, want, string(written))
		require.NoError(t, p.Save(to))
		written, err = os.ReadFile(filepath.Join(to, "processor_config.json"))
		require.NoError(t, err)
		assert.Equal(t, text, string(written), "the other one's file is its own")
	}
	p, err := model.ClipPreprocessor(28).WithQueries(8)
	require.NoError(t, err)
	assert.Equal(t, model.ClipPreprocessor(28), p)
}
