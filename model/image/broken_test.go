package image

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, data, 0o644))
	return path
}

// A file cut short anywhere is an error of one line that names the path, from Load and from Check.
func TestCutShort(t *testing.T) {
	for _, name := range []string{"rgb8.png", "interlaced.png", "jpeg420.jpg", "progressive.jpg", "lossy.webp", "lossless.webp", "alpha.webp"} {
		data, err := os.ReadFile("testdata/" + name)
		require.NoError(t, err)
		for _, keep := range []int{0, 1, 3, 8, 12, 40, len(data) / 2, len(data) * 3 / 4} {
			path := write(t, name, data[:keep])
			for what, check := range map[string]func() error{
				"Load":  func() error { _, err := Load(path); return err },
				"Check": func() error { return Check(path) },
			} {
				err := check()
				require.Error(t, err, "%s: %s of %d bytes", what, name, keep)
				assert.ErrorContains(t, err, path)
				assert.NotContains(t, err.Error(), "\n")
			}
		}
	}
}

func TestBrokenPictures(t *testing.T) {
	damaged, err := os.ReadFile("testdata/rgb8.png")
	require.NoError(t, err)
	damaged = bytes.Clone(damaged)
	damaged[60] ^= 0xff
	for _, c := range []struct {
		name, want string
		data       []byte
	}{
		{"empty.png", "the file is empty", nil},
		{"text.png", "not a picture that this program reads (PNG, JPEG, WebP, GIF, BMP, TIFF)", []byte("hello, this is no picture")},
		{"pointer.png", "it is a Git LFS pointer, not the file: run git lfs pull", []byte("version https://git-lfs.github.com/spec/v1\noid sha256:00")},
		{"short.jpg", "broken GIF picture: unexpected EOF", []byte("GIF89a\x01\x00\x01\x00\x00\x00\x00")},
		{"none.gif", "broken GIF picture: it ends before its first frame", []byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;")},
		{"damaged.png", "broken PNG picture", damaged},
	} {
		path := write(t, c.name, c.data)
		_, err := Load(path)
		require.ErrorContains(t, err, c.want)
		assert.ErrorContains(t, err, path)
	}
	_, err = Load(filepath.Join(t.TempDir(), "none.png"))
	assert.ErrorContains(t, err, "none.png")
	assert.ErrorContains(t, Check(filepath.Join(t.TempDir(), "none.png")), "none.png")
}

// What PIL reads must not be refused: data after the end, and a missing end marker that decodes none the less.
func TestCheckFallsBackToDecoding(t *testing.T) {
	for _, name := range []string{"rgb8.png", "jpeg420.jpg", "lossy.webp"} {
		data, err := os.ReadFile("testdata/" + name)
		require.NoError(t, err)
		assert.NoError(t, Check(write(t, name, append(bytes.Clone(data), make([]byte, jpegTail+10)...))), name)
	}
}
