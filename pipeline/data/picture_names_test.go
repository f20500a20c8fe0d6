package data

import (
	"bytes"
	stdimage "image"
	"image/color"
	"image/gif"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A picture is read by its content under any name, and a fault names its line.
func TestPictureNames(t *testing.T) {
	img := stdimage.NewPaletted(stdimage.Rect(0, 0, 2, 2), color.Palette{color.RGBA{40, 41, 42, 255}, color.RGBA{0, 0, 0, 255}})
	var file bytes.Buffer
	require.NoError(t, gif.Encode(&file, img, nil))
	names := []string{"A PHOTO.PNG", "100%25 %d %s.png", "wrong ending.JPEG", "no ending", "ümläut – 图.png", "below/it.gif"}
	files, lines := map[string]string{}, ""
	for i, name := range names {
		files["test/"+name] = file.String() + strings.Repeat("\x00", i) // other bytes: else they would be one picture
		lines += line(name, "which", "four")
	}
	files["test/metadata.jsonl"] = lines
	d, err := Open(Config{Root: folder(t, with(files)), Size: 2})
	require.NoError(t, err)
	for i := range names {
		pixels := make([]uint8, 12)
		require.NoError(t, d.Test.Pixels(i, pixels), names[i])
		assert.Equal(t, []uint8{40, 40, 40, 40, 41, 41, 41, 41, 42, 42, 42, 42}, pixels, names[i])
	}
	files["test/below/it.gif"] = "\x00\x00\x00\x18ftypheic"
	_, err = Open(Config{Root: folder(t, with(files)), Size: 2})
	assert.ErrorContains(t, err, "test/metadata.jsonl:6: ")
	assert.ErrorContains(t, err, "HEIC is not read by this program; convert the picture to PNG")
}
