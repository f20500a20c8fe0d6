package image

import (
	"bytes"
	"encoding/binary"
	stdimage "image"
	"image/jpeg"
	"slices"
)

func decodeJPEG(data []byte) (*RGB, error) {
	img, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return planarJPEG(img)
}

// jpegNotes gathers the APP1 segments before the pixels. EXIF that is too long for one segment goes on in the next.
func jpegNotes(data []byte) (n notes) {
	for at := 2; at+4 <= len(data); {
		marker := data[at+1]
		switch {
		case data[at] != 0xff: // PIL and Go's decoder pass over bytes between segments
			at++
			continue
		case marker == 0xff: // a fill byte
			at++
			continue
		case marker == 0 || marker == 0x01 || marker >= 0xd0 && marker <= 0xd9: // without a length
			at += 2
			continue
		case marker == 0xda: // the pixels start
			return n
		}
		size := int(binary.BigEndian.Uint16(data[at+2:]))
		if size < 2 || at+2+size > len(data) {
			return n
		}
		if body := data[at+4 : at+2+size]; marker == 0xe1 {
			if bytes.HasPrefix(body, []byte(exifPrefix)) && n.exif == nil {
				n.exif = slices.Clone(body)
			} else if more, ok := bytes.CutPrefix(body, []byte(exifPrefix)); ok {
				n.exif = append(n.exif, more...)
			} else if xmp, ok := bytes.CutPrefix(body, []byte("http://ns.adobe.com/xap/1.0/\x00")); ok {
				n.xmp = xmp
			}
		}
		at += 2 + size
	}
	return n
}

// planarJPEG differs from planar for pictures stored as luma and chroma: libjpeg, and with it PIL, interpolates
// the coarser chroma ("fancy upsampling"), where Go's standard library repeats it. At edges of colour the two
// differ by dozens of levels.
func planarJPEG(img stdimage.Image) (*RGB, error) {
	m, ok := img.(*stdimage.YCbCr)
	if !ok {
		return planar(img)
	}
	p := New(m.Rect.Dx(), m.Rect.Dy())
	up := newJPEGUpsampler(m, p.Width, p.Height)
	cb, cr := make([]uint8, p.Width+1), make([]uint8, p.Width+1)
	red, green, blue := p.plane(0), p.plane(1), p.plane(2)
	for y := range p.Height {
		up.row(m.Cb, y, cb)
		up.row(m.Cr, y, cr)
		luma := m.Y[y*m.YStride : y*m.YStride+p.Width]
		for x, l := range luma {
			i, v := y*p.Width+x, int(l)
			u, w := int(cb[x])-128, int(cr[x])-128
			// libjpeg's jdcolor.c: 16-bit fixed point, each product rounded as there.
			red[i] = clip8(v + (91881*w+32768)>>16)            // 1.40200
			green[i] = clip8(v + (-22554*u-46802*w+32768)>>16) // 0.34414, 0.71414
			blue[i] = clip8(v + (116130*u+32768)>>16)          // 1.77200
		}
	}
	return p, nil
}

// jpegUpsampler brings rows of a chroma plane to full size as libjpeg-turbo's jdsample.c does.
type jpegUpsampler struct {
	stride        int
	width, height int // of the chroma plane, padding left out
	h, v          int // luma samples for one chroma sample, across and down
	fancy         bool
	sums          []int
}

func newJPEGUpsampler(m *stdimage.YCbCr, width, height int) *jpegUpsampler {
	u := &jpegUpsampler{stride: m.CStride, h: 1, v: 1}
	switch m.SubsampleRatio {
	case stdimage.YCbCrSubsampleRatio422:
		u.h = 2
	case stdimage.YCbCrSubsampleRatio420:
		u.h, u.v = 2, 2
	case stdimage.YCbCrSubsampleRatio440:
		u.v = 2
	case stdimage.YCbCrSubsampleRatio411:
		u.h = 4
	case stdimage.YCbCrSubsampleRatio410:
		u.h, u.v = 4, 2
	}
	u.width, u.height = (width+u.h-1)/u.h, (height+u.v-1)/u.v
	u.fancy = u.h == 1 || u.h == 2 && u.width > 2 // libjpeg's own exceptions
	u.sums = make([]int, u.width)
	return u
}

// row writes the chroma of picture row y to out, which has room for one value more than the picture is wide.
func (u *jpegUpsampler) row(plane []uint8, y int, out []uint8) {
	near := plane[y/u.v*u.stride:][:u.width]
	if !u.fancy {
		for x := range out[:len(out)-1] {
			out[x] = near[x/u.h]
		}
		return
	}
	if u.v == 1 {
		if u.h == 1 {
			copy(out, near)
			return
		}
		for x, c := range near {
			u.sums[x] = int(c)
		}
		spread(u.sums, out, 1, 2, 2)
		return
	}
	// The nearer chroma row counts three times the farther one, which is above for even picture rows.
	farY, bias := y/2-1, 1
	if y%2 == 1 {
		farY, bias = y/2+1, 2
	}
	farY = min(max(farY, 0), u.height-1)
	far := plane[farY*u.stride:][:u.width]
	for x := range near {
		u.sums[x] = 3*int(near[x]) + int(far[x])
	}
	if u.h == 1 {
		for x, s := range u.sums {
			out[x] = uint8((s + bias) >> 2)
		}
		return
	}
	spread(u.sums, out, 8, 7, 4)
}

// spread doubles a row: each value gives two, three parts itself and one part its neighbour on that side. The
// two sides round differently, so that no half is always rounded up; shift is the number of bits to drop.
func spread(in []int, out []uint8, left, right, shift int) {
	for x, v := range in {
		before, after := v, v // at the ends the value stands alone
		if x > 0 {
			before = in[x-1]
		}
		if x < len(in)-1 {
			after = in[x+1]
		}
		out[2*x] = uint8((3*v + before + left) >> shift)
		if 2*x+1 < len(out) {
			out[2*x+1] = uint8((3*v + after + right) >> shift)
		}
	}
}
