package pipeline

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/event"
	"espalier/pipeline/page"
	"espalier/pipeline/pagetest"
)

// pageOf checks the page that a run has left, and that its folder gives the same again.
func pageOf(t *testing.T, folder string) pagetest.Page {
	t.Helper()
	p := pagetest.Check(t, filepath.Join(folder, page.Name))
	path, err := WritePage(folder, func(e event.Event) { t.Errorf("%v", e) })
	require.NoError(t, err)
	again, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.True(t, p.HTML == string(again), "the same page from the folder")
	return p
}
