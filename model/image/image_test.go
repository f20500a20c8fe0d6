package image

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// golden is what PIL makes of a picture: testdata/make.py.
type golden struct {
	File          string
	Width, Height int
	Tolerance     int
	Pixels        []byte // planar
}

func goldens(t *testing.T) (decoded, resized []golden) {
	t.Helper()
	data, err := os.ReadFile("testdata/golden.json")
	require.NoError(t, err)
	var all struct{ Decoded, Resized []golden }
	require.NoError(t, json.Unmarshal(data, &all))
	require.NotEmpty(t, all.Decoded)
	require.NotEmpty(t, all.Resized)
	return all.Decoded, all.Resized
}

// farthest is the largest difference of two pictures, in levels.
func farthest(a, b []uint8) int {
	worst := 0
	for i := range a {
		worst = max(worst, int(a[i])-int(b[i]), int(b[i])-int(a[i]))
	}
	return worst
}

func TestLoadAgreesWithPIL(t *testing.T) {
	decoded, _ := goldens(t)
	for _, g := range decoded {
		t.Run(g.File, func(t *testing.T) {
			p, err := Load(filepath.Join("testdata", g.File))
			require.NoError(t, err)
			require.Equal(t, []int{g.Width, g.Height}, []int{p.Width, p.Height})
			require.Len(t, p.Pix, len(g.Pixels))
			assert.LessOrEqual(t, farthest(g.Pixels, p.Pix), g.Tolerance)
			assert.NoError(t, Check(filepath.Join("testdata", g.File)))
		})
	}
}
