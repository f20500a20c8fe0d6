package report

import (
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPlotIsAPicture(t *testing.T) {
	r, err := Read(filepath.Join("..", "..", "cmd", "pipeline", "testdata", "report.json"))
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "accuracy.png")
	require.NoError(t, r.WritePlot(path))
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	img, err := png.Decode(f)
	require.NoError(t, err)
	assert.Equal(t, 1080, img.Bounds().Dx())
	colours := map[any]bool{}
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			colours[img.At(x, y)] = true
		}
	}
	for _, c := range []any{FallColor, RecoverColor, OODColor} {
		assert.True(t, colours[c], "%v is drawn", c)
	}
}
