package image

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestResizeAgreesWithPIL(t *testing.T) {
	_, resized := goldens(t)
	for _, g := range resized {
		t.Run(fmt.Sprintf("%dx%d", g.Width, g.Height), func(t *testing.T) {
			p, err := Load("testdata/" + g.File)
			require.NoError(t, err)
			before := slices.Clone(p.Pix)
			out := p.Resize(g.Width, g.Height)
			assert.Equal(t, g.Pixels, out.Pix)
			assert.Equal(t, before, p.Pix, "the source is left alone")
		})
	}
}

func TestResizeToTheSameSizeCopiesExactly(t *testing.T) {
	p, err := Load("testdata/rgb8.png")
	require.NoError(t, err)
	assert.Equal(t, p.Pix, p.Resize(p.Width, p.Height).Pix)
}

// Weights of one output value sum to one: a flat picture stays flat at every ratio.
func TestResizeKeepsFlatPictures(t *testing.T) {
	for _, size := range []int{1, 2, 3, 7, 31, 64, 200} {
		p := New(37, 11)
		for i := range p.Pix {
			p.Pix[i] = 201
		}
		for _, v := range p.Resize(size, size).Pix {
			require.Equal(t, uint8(201), v)
		}
	}
}

func BenchmarkResize(b *testing.B) {
	p := New(640, 480)
	for b.Loop() {
		p.Resize(224, 224)
	}
}

// Weights as Resample.c rounds them: away from zero at a half, worked out with Python's floats from its formulas.
func TestTaps(t *testing.T) {
	assert.Equal(t, taps{0, []int32{1847353, 2625797, -278846}}, bicubicTaps(3, 7)[2])
	assert.Equal(t, taps{0, []int32{-128031, 189486, 1157403, 1756589, 1157403, 189486, -128031}}, bicubicTaps(7, 3)[1])
}

// Pillow's Image.resize shrinks a picture more than a hundred times as tall as wide by its columns first; the values
// between the passes are clipped, so the order shows.
func TestResizeOfTallPictures(t *testing.T) {
	for height, columnsFirst := range map[int]bool{200: false, 201: true} {
		p, r := New(2, height), rand.New(rand.NewPCG(1, 2))
		for i := range p.Pix {
			p.Pix[i] = uint8(255 * r.IntN(2))
		}
		rows, columns := p.resizeRows(9).resizeColumns(9), p.resizeColumns(9).resizeRows(9)
		require.NotEqual(t, rows, columns)
		want := rows
		if columnsFirst {
			want = columns
		}
		assert.Equal(t, want, p.Resize(9, 9), height)
	}
}
