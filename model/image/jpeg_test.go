package image

import (
	stdimage "image"
	"testing"

	"github.com/stretchr/testify/assert"
)

// The goldens of TestLoadAgreesWithPIL allow two levels, for the cosine transform. The upsampling itself is exact:
// values by hand from the formulas of libjpeg-turbo's jdsample.c.
func TestUpsampling(t *testing.T) {
	chroma := []uint8{
		10, 20, 31,
		50, 60, 71,
	}
	for name, c := range map[string]struct {
		ratio         stdimage.YCbCrSubsampleRatio
		width, height int
		row           int
		want          []uint8
	}{
		"h2v1":           {stdimage.YCbCrSubsampleRatio422, 6, 2, 0, []uint8{10, 13, 17, 23, 28, 31}}, // (3·10+20+2)/4, (3·20+10+1)/4, …
		"h2v1, odd":      {stdimage.YCbCrSubsampleRatio422, 5, 2, 1, []uint8{50, 53, 57, 63, 68}},
		"h1v2, top":      {stdimage.YCbCrSubsampleRatio440, 3, 4, 0, []uint8{10, 20, 31}},
		"h1v2, upper":    {stdimage.YCbCrSubsampleRatio440, 3, 4, 1, []uint8{20, 30, 41}},             // (3·10+50+2)/4
		"h1v2, lower":    {stdimage.YCbCrSubsampleRatio440, 3, 4, 2, []uint8{40, 50, 61}},             // (3·50+10+1)/4
		"h2v2, upper":    {stdimage.YCbCrSubsampleRatio420, 6, 4, 1, []uint8{20, 22, 28, 33, 38, 41}}, // sums 80 120 164
		"h2v2, bottom":   {stdimage.YCbCrSubsampleRatio420, 6, 4, 3, []uint8{50, 52, 58, 63, 68, 71}}, // sums 200 240 284
		"h4v1, repeated": {stdimage.YCbCrSubsampleRatio411, 10, 2, 0, []uint8{10, 10, 10, 10, 20, 20, 20, 20, 31, 31}},
		"h2v1, narrow":   {stdimage.YCbCrSubsampleRatio422, 4, 2, 0, []uint8{10, 10, 20, 20}}, // two columns are not interpolated
	} {
		m := &stdimage.YCbCr{CStride: 3, SubsampleRatio: c.ratio}
		out := make([]uint8, c.width+1)
		newJPEGUpsampler(m, c.width, c.height).row(chroma, c.row, out)
		assert.Equal(t, c.want, out[:c.width], name)
	}
}
