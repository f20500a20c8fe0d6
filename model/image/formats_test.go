package image

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// format is a small file and what transformers makes of it: testdata/formats.py.
type format struct {
	Name          string
	File          []byte
	Width, Height int
	Tolerance     int
	Pixels        []byte // planar
}

func formats(t *testing.T) (all []format) {
	t.Helper()
	data, err := os.ReadFile("testdata/formats.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &all))
	require.NotEmpty(t, all)
	return all
}

func TestFormatsEqualTransformers(t *testing.T) {
	for _, f := range formats(t) {
		t.Run(f.Name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "picture.xyz")
			require.NoError(t, os.WriteFile(path, f.File, 0o644))
			p, err := Load(path)
			require.NoError(t, err)
			require.Equal(t, []int{f.Width, f.Height}, []int{p.Width, p.Height})
			require.Len(t, p.Pix, len(f.Pixels))
			if f.Tolerance == 0 {
				assert.Equal(t, f.Pixels, p.Pix)
			}
			assert.LessOrEqual(t, farthest(f.Pixels, p.Pix), f.Tolerance)
			assert.NoError(t, Check(path))
		})
	}
}

// Files of every format, cut short at every byte, end with one line of an error or, where only notes were cut off, as before.
func TestFormatsCutShort(t *testing.T) {
	for _, f := range formats(t) {
		if strings.Contains(f.Name, "exif") || strings.Contains(f.Name, "II in ") {
			continue // as others, but for the notes
		}
		for keep := range len(f.File) {
			if p, err := Decode(f.File[:keep]); err != nil {
				require.NotContains(t, err.Error(), "\n", "%s, %d bytes", f.Name, keep)
				require.NotContains(t, err.Error(), ": EOF", "%s, %d bytes", f.Name, keep)
			} else {
				require.Equal(t, f.Width*f.Height, p.Width*p.Height, "%s, %d bytes", f.Name, keep)
			}
		}
	}
}
