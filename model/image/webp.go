package image

import (
	stdimage "image"
)

// planarWebP differs from planar for lossy WebP. Its luma and chroma are of the narrow range (16 to 235), which
// Go's color package reads as the wide range of JPEG, and libwebp, and with it PIL, interpolates the chroma.
func planarWebP(img stdimage.Image) (*RGB, error) {
	var m *stdimage.YCbCr
	switch i := img.(type) {
	case *stdimage.YCbCr:
		m = i
	case *stdimage.NYCbCrA:
		m = &i.YCbCr
	default:
		return planar(img) // lossless
	}
	p := New(m.Rect.Dx(), m.Rect.Dy())
	cb, cr := make([]int, p.Width+1), make([]int, p.Width+1)
	red, green, blue := p.plane(0), p.plane(1), p.plane(2)
	for y := range p.Height {
		near, far := webpChromaRows(y, (p.Height+1)/2)
		webpSpread(m.Cb[near*m.CStride:], m.Cb[far*m.CStride:], cb[:p.Width])
		webpSpread(m.Cr[near*m.CStride:], m.Cr[far*m.CStride:], cr[:p.Width])
		for x, l := range m.Y[y*m.YStride : y*m.YStride+p.Width] {
			i, v := y*p.Width+x, int(l)*19077>>8
			// libwebp's dsp/yuv.h: BT.601 in fixed point, 6 bits of fraction.
			red[i] = clip8((v + cr[x]*26149>>8 - 14234) >> 6)
			green[i] = clip8((v - cb[x]*6419>>8 - cr[x]*13320>>8 + 8708) >> 6)
			blue[i] = clip8((v + cb[x]*33050>>8 - 17685) >> 6)
		}
	}
	return p, nil
}

// webpChromaRows gives the chroma row that covers picture row y and the next nearest one.
func webpChromaRows(y, rows int) (near, far int) {
	near, far = y/2, y/2-1
	if y%2 == 1 {
		far = near + 1
	}
	return near, min(max(far, 0), rows-1)
}

// webpSpread doubles a row with libwebp's weights 9, 3, 3, 1, rounded in the two steps of dsp/upsampling.c.
func webpSpread(near, far []uint8, out []int) {
	n, f := int(near[0]), int(far[0])
	out[0] = (3*n + f + 2) >> 2
	last := (len(out) - 1) / 2
	for x := 1; x <= last; x++ {
		n1, f1 := int(near[x]), int(far[x])
		sum := n + n1 + f + f1 + 8
		out[2*x-1] = ((sum+2*(n1+f))>>3 + n) >> 1
		out[2*x] = ((sum+2*(n+f1))>>3 + n1) >> 1
		n, f = n1, f1
	}
	if len(out)%2 == 0 {
		out[len(out)-1] = (3*n + f + 2) >> 2
	}
}
