package tensorboard

import (
	"bytes"
	_ "embed"
	"encoding/hex"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/image/font"
)

// What testdata/golden.py makes of the same values with TensorBoard's own messages and writer.
//
//go:embed testdata/golden.hex
var golden string

func TestRecordsAreTensorBoardsOwn(t *testing.T) {
	at := time.Date(2026, 1, 1, 12, 0, 0, 5e8, time.UTC)
	got := Open(at)
	got = append(got, Record(at, 3, Scalar("loss/hidden distil cut 1/2", .1), Scalar("é", -2))...)
	got = append(got, Record(at, 0, Histogram("weights/vision", Bins{Low: -1, High: 3, Sum: 4, SumOfSquare: 10, Limits: []float64{1, 3}, Counts: []float64{2, 1}}))...)
	got = append(got, Record(at, 1<<40, Image("answers/picture 1", 320, 200, []byte("\x89PNG")), Text("answers/text", "| a |\n|---|\n"))...)
	want, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(golden), "\n", ""))
	require.NoError(t, err)
	assert.Equal(t, want, got)
}

func TestMasked(t *testing.T) {
	require.EqualValues(t, 0xe3069283, crc32.Checksum([]byte("123456789"), castagnoli), "the check value of CRC-32C")
	assert.EqualValues(t, 0xa282ead8, masked(nil))
}

// A small picture is enlarged by a whole number, and its caption has a line for each of its own, and more where they are too long.
func TestCaptioned(t *testing.T) {
	red := image.NewRGBA(image.Rect(0, 0, 48, 48))
	for i := range 48 * 48 {
		red.Set(i%48, i/48, color.RGBA{200, 0, 0, 255})
	}
	file, width, height, err := Captioned(red, []string{"what is it?", strings.Repeat("word ", 40), strings.Repeat("w", 100)})
	require.NoError(t, err)
	assert.Equal(t, 336, width)
	img, err := png.Decode(bytes.NewReader(file))
	require.NoError(t, err)
	assert.Equal(t, image.Rect(0, 0, width, height), img.Bounds())
	assert.Equal(t, color.RGBA{200, 0, 0, 255}, color.RGBAModel.Convert(img.At(335, 335)))
	lines := (height - 336 - 2*margin) / lineHeight
	assert.Greater(t, lines, 5)
	for line := range lines {
		ink := 0
		for x := range width {
			for y := range lineHeight {
				if r, _, _, _ := img.At(x, 336+margin+line*lineHeight+y).RGBA(); r < 0x8000 {
					ink++
				}
			}
		}
		assert.Positive(t, ink, "line %d", line)
	}
	for y := range height { // the margin stays white
		r, _, _, _ := img.At(width-1, y).RGBA()
		assert.True(t, y < 336 || r == 0xffff)
	}
	_, wide, _, err := Captioned(image.NewRGBA(image.Rect(0, 0, 500, 20)), nil)
	require.NoError(t, err)
	assert.Equal(t, 500, wide)
}

func TestWrapped(t *testing.T) {
	assert.Equal(t, []string{""}, wrapped("", 100))
	for _, line := range append(wrapped("a long line of words and thenoneverylongwordthatdoesnotfitintoaline", 90), wrapped("请问这是什么颜色的图片", 40)...) {
		assert.LessOrEqual(t, font.MeasureString(face(), line).Ceil(), 90)
		assert.NotEmpty(t, line)
	}
}
