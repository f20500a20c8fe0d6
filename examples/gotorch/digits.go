//go:build cgotorch

package main

import (
	"math/rand/v2"

	"espalier/torch"
)

const (
	digits = 10
	side   = 12
)

// glyphs are the digits, five columns wide: a row is five bits.
var glyphs = [digits][7]byte{
	{0x0e, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0e}, {0x04, 0x0c, 0x04, 0x04, 0x04, 0x04, 0x0e}, {0x0e, 0x11, 0x01, 0x02, 0x04, 0x08, 0x1f},
	{0x1f, 0x02, 0x04, 0x02, 0x01, 0x11, 0x0e}, {0x02, 0x06, 0x0a, 0x12, 0x1f, 0x02, 0x02}, {0x1f, 0x10, 0x1e, 0x01, 0x01, 0x11, 0x0e},
	{0x06, 0x08, 0x10, 0x1e, 0x11, 0x11, 0x0e}, {0x1f, 0x01, 0x02, 0x04, 0x08, 0x08, 0x08}, {0x0e, 0x11, 0x11, 0x0e, 0x11, 0x11, 0x0e},
	{0x0e, 0x11, 0x11, 0x0f, 0x01, 0x02, 0x0c},
}

// source draws digits at random places, in random ink, slanted or not, on noisy paper.
type source struct{ *rand.Rand }

func newSource(seed, stream uint64) source { return source{rand.New(rand.NewPCG(seed, stream))} }

// draw gives pictures [n, 1, side, side] and their digits [n].
func (r source) draw(n int) (pictures, labels *torch.Tensor) {
	pixels, classes := make([]float32, n*side*side), make([]int, n)
	for i := range n {
		picture := pixels[i*side*side:][:side*side]
		for k := range picture {
			picture[k] = float32(r.NormFloat64()) * .3
		}
		digit := r.IntN(digits)
		classes[i] = digit
		top, left, slant, ink := r.IntN(side-6), r.IntN(side-6), r.IntN(3)-1, .7+.6*r.Float32()
		for y, row := range glyphs[digit] {
			for x := range 5 {
				at := left + x + slant*(3-y)/3
				if row>>(4-x)&1 == 1 && at >= 0 && at < side && top+y < side {
					picture[(top+y)*side+at] += ink
				}
			}
		}
	}
	return torch.From(pixels, torch.CPU, n, 1, side, side), torch.FromInts(classes, torch.CPU)
}
