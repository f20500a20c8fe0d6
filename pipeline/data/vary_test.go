package data

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// every is changes of all kinds.
var every = Vary{Shift: .06, Scale: .1, Brightness: .1, Contrast: .3, Saturation: .3, Noise: .05, Erase: .5, EraseSide: .3}

// advert is a drawn picture of the training split.
func advert(i int) []uint8 {
	pixels := make([]uint8, 3*adSize*adSize)
	s := drawScene(adTrain, i, defaultAds)
	s.render(pixels, false)
	return pixels
}

// changed is a copy of a picture, changed as at a place of the order with seed 7.
func (v Vary) changed(pixels []uint8, size, place int) []uint8 {
	out := slices.Clone(pixels)
	v.Picture(out, size, 7, place)
	return out
}

// A training that goes on on another machine must see the same pictures.
func TestVariedPicturesAreFrozen(t *testing.T) {
	all := sha256.New()
	for i := range 8 {
		all.Write(every.changed(advert(i), adSize, i))
	}
	assert.Equal(t, "b7c7bf95d0f0e7021d40cde8e41413cf76268301e147d243ceef1ab48b9c3218", hex.EncodeToString(all.Sum(nil)))
}

func TestEachPlaceHasItsOwnChange(t *testing.T) {
	plain := advert(0)
	assert.Equal(t, plain, Vary{}.changed(plain, adSize, 3))
	first := every.changed(plain, adSize, 3)
	assert.Equal(t, first, every.changed(plain, adSize, 3))
	assert.NotEqual(t, first, every.changed(plain, adSize, 4))
	other := slices.Clone(plain)
	every.Picture(other, adSize, 8, 3)
	assert.NotEqual(t, first, other, "another seed")
}

// dot is a black picture with one white pixel.
func dot(size, y, x int) []uint8 {
	pixels := make([]uint8, 3*size*size)
	for c := range 3 {
		pixels[(c*size+y)*size+x] = 255
	}
	return pixels
}

// Pictures are moved by whole pixels, no further than the range, to all sides alike.
func TestShift(t *testing.T) {
	const size, places = 20, 2000
	plain := dot(size, 9, 11)
	var down, right float64
	far := map[int]bool{}
	for place := range places {
		out := Vary{Shift: .1}.changed(plain, size, place)
		at := slices.Index(out, 255)
		dy, dx := at/size-9, at%size-11
		assert.Equal(t, dot(size, 9+dy, 11+dx), out)
		assert.LessOrEqual(t, max(dy, -dy, dx, -dx), 2)
		far[dy], far[dx] = true, true
		down, right = down+float64(dy)/places, right+float64(dx)/places
	}
	assert.Len(t, far, 5)
	assert.InDelta(t, 0, down, .1)
	assert.InDelta(t, 0, right, .1)
}

// A slope becomes as steep as the scale says, about the middle.
func TestScale(t *testing.T) {
	const size = 41
	slope := make([]uint8, 3*size*size)
	for i := range slope {
		slope[i] = uint8(20 + 5*(i%size))
	}
	small, large := 2., 0.
	for place := range 200 {
		out := Vary{Scale: .2}.changed(slope, size, place)
		row := out[20*size : 21*size]
		assert.EqualValues(t, slope[20], row[20], "the middle stays")
		scale := 100 / float64(int(row[30])-int(row[10]))
		small, large = min(small, scale), max(large, scale)
	}
	assert.InDelta(t, .8, small, .03)
	assert.InDelta(t, 1.2, large, .03)
}

// hueOf is an angle of the colour circle, and how far the colour is from grey.
func hueOf(r, g, b uint8) (angle, chroma float64) {
	x, y := float64(r)-(float64(g)+float64(b))/2, math.Sqrt(3)/2*(float64(g)-float64(b))
	return math.Atan2(y, x), math.Hypot(x, y)
}

// Whatever the colours become, they keep their hue up to rounding, also where a channel is at its end.
func TestColoursKeepTheirHue(t *testing.T) {
	const n = adSize * adSize
	v := Vary{Brightness: .3, Contrast: .5, Saturation: .5, Noise: .2}
	moved, compared := false, 0
	for place := range 40 {
		plain := advert(place)
		out := v.changed(plain, adSize, place)
		for i := range n {
			before, far := hueOf(plain[i], plain[n+i], plain[2*n+i])
			after, still := hueOf(out[i], out[n+i], out[2*n+i])
			if min(far, still) < 20 { // a grey has no hue
				continue
			}
			compared++
			apart := math.Remainder(after-before, 2*math.Pi)
			assert.LessOrEqual(t, math.Abs(apart), 2/min(far, still))
			moved = moved || math.Abs(far-still) > 30
		}
	}
	assert.True(t, moved)
	assert.Greater(t, compared, 20*n)
}

// Brightness is added, contrast is about the mean grey, saturation leaves a pixel's grey alone, and each stays in its range.
func TestColourRanges(t *testing.T) {
	const size, n = 2, 4
	grey := func(levels ...uint8) []uint8 { return slices.Concat(levels, levels, levels) }
	colour := slices.Concat([]uint8{140, 140, 140, 140}, []uint8{100, 100, 100, 100}, []uint8{120, 120, 120, 120})
	most := [3]int{}
	for place := range 300 {
		out := Vary{Brightness: .1}.changed(grey(100, 100, 150, 150), size, place)
		d := int(out[0]) - 100
		assert.Equal(t, grey(uint8(100+d), uint8(100+d), uint8(150+d), uint8(150+d)), out)
		most[0] = max(most[0], d, -d)
		out = Vary{Contrast: .5}.changed(grey(100, 100, 140, 140), size, place)
		assert.InDelta(t, 240, int(out[0])+int(out[2]), 1)
		d = int(out[2]) - int(out[0]) - 40
		most[1] = max(most[1], d, -d)
		out = Vary{Saturation: .5}.changed(colour, size, place)
		assert.InDelta(t, luma(140, 100, 120), luma(int(out[0]), int(out[n]), int(out[2*n])), 1)
		d = int(out[0]) - int(out[n]) - 40
		most[2] = max(most[2], d, -d)
		assert.Equal(t, grey(9, 99, 199, 250), Vary{Saturation: .5}.changed(grey(9, 99, 199, 250), size, place), "a grey has no saturation")
	}
	assert.Equal(t, [3]int{25, 20, 20}, most)
}

// Noise is the same in all channels, centred, and within its range.
func TestNoise(t *testing.T) {
	const size, n = 50, 2500
	plain := slices.Concat(slices.Repeat([]uint8{90}, n), slices.Repeat([]uint8{120}, n), slices.Repeat([]uint8{70}, n))
	most := 0
	for place := range 50 {
		out := Vary{Noise: .04}.changed(plain, size, place)
		sum := 0
		for i := range n {
			d := int(out[i]) - 90
			assert.Equal(t, [2]int{120 + d, 70 + d}, [2]int{int(out[n+i]), int(out[2*n+i])})
			sum, most = sum+d, max(most, d, -d)
		}
		assert.InDelta(t, 0, float64(sum)/n, .6)
	}
	assert.Equal(t, 10, most)
	assert.Equal(t, slices.Repeat([]uint8{255}, 3*n), Vary{Noise: 1e-9}.changed(slices.Repeat([]uint8{255}, 3*n), size, 0))
}

// In as many pictures as the range says, one rectangle takes the mean colour.
func TestErase(t *testing.T) {
	const size, places = 20, 1000
	plain := dot(size, 0, 0)
	for i := range plain {
		plain[i] = uint8(100 + i%2*100) // columns of 100 and 200: the mean is none of them
	}
	erased, long := 0, 0
	for place := range places {
		out := Vary{Erase: .3, EraseSide: .4}.changed(plain, size, place)
		top, left, bottom, right, count := size, size, -1, -1, 0
		for i := range size * size {
			if out[i] == plain[i] {
				continue
			}
			assert.EqualValues(t, 150, out[i])
			assert.Equal(t, out[i], out[2*size*size+i])
			count++
			top, bottom, left, right = min(top, i/size), max(bottom, i/size), min(left, i%size), max(right, i%size)
		}
		if count > 0 {
			erased++
			assert.Equal(t, (bottom-top+1)*(right-left+1), count)
			long = max(long, bottom-top+1, right-left+1)
		}
	}
	assert.InDelta(t, .3, float64(erased)/places, .06)
	assert.Equal(t, 8, long)
}

// However many goroutines read and wherever a loader begins, a place of the order has the same pixels.
func TestVariedLoader(t *testing.T) {
	split := newAdSplit(adTrain, 9, adSize, defaultAds)
	var want []uint8
	for place := range 24 {
		i := Order(9, 7, place/9)[place%9]
		want = append(want, every.changed(advert(i), adSize, place)...)
	}
	picture := 3 * adSize * adSize
	for _, processors := range []int{1, 2, 5} {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
		for _, start := range []int{0, 10} {
			l := NewVariedLoader(context.Background(), split, 7, start, 4, every)
			for place := start; place+4 <= 24; place += 4 {
				b, err := l.Next()
				require.NoError(t, err)
				assert.True(t, slices.Equal(want[place*picture:(place+4)*picture], b.Pixels), "%d processors, place %d", processors, place)
			}
			l.Close()
		}
	}
}
