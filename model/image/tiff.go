package image

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	stdimage "image"
	"io"
	"maps"
	"slices"

	"golang.org/x/image/tiff"
)

func tiffNotes(data []byte) notes {
	return notes{exif: data, xmp: tiffTags(data)[tiffXMP].data}
}

// tiffConfig says why, where the library does not read a picture.
func tiffConfig(r io.Reader) (stdimage.Config, error) {
	data, err := io.ReadAll(r) // a directory can stand anywhere in a file
	if err != nil {
		return stdimage.Config{}, err
	}
	d := tiffTags(data)
	if name := d.unread(); name != "" {
		return stdimage.Config{}, unread(name)
	}
	return tiff.DecodeConfig(bytes.NewReader(d.readable(data)))
}

// decodeTIFF reads the first picture.
func decodeTIFF(data []byte) (*RGB, error) {
	d := tiffTags(data)
	img, err := tiff.Decode(bytes.NewReader(d.readable(data)))
	if err != nil {
		return nil, err
	}
	if m, ok := img.(*stdimage.Gray16); ok {
		return clipped(m), nil
	}
	p, err := planar(img)
	if err != nil {
		return nil, err
	}
	if c := d.int(tiffCompression, 1); (c == 3 || c == 4) && d.int(tiffPhotometric, 0) == 1 {
		for i, v := range p.Pix { // the library makes fax's white white, whatever zero is; libtiff makes it zero
			p.Pix[i] = 255 - v
		}
	}
	switch {
	case d.int(tiffPhotometric, 0) == tiffCMYK:
		p.cmyk(inks(p, lastOfFour(img)))
	case d.int(tiffExtraSamples, 0) == 1:
		p.unmultiply(lastOfFour(img))
	}
	return p, nil
}

// unmultiply divides the colours by the alpha that they were multiplied with.
func (p *RGB) unmultiply(alpha []uint8) {
	for c := range 3 {
		plane := p.plane(c)
		for i, a := range alpha {
			if a > 0 {
				plane[i] = clip8(int(plane[i]) * 255 / int(a))
			} else {
				plane[i] = 0
			}
		}
	}
}

// lastOfFour are the high bytes of each pixel's fourth sample.
func lastOfFour(img stdimage.Image) []uint8 {
	pix, step := []uint8(nil), 4
	switch m := img.(type) {
	case *stdimage.RGBA:
		pix = m.Pix
	case *stdimage.NRGBA:
		pix = m.Pix
	case *stdimage.RGBA64:
		pix, step = m.Pix, 8
	case *stdimage.NRGBA64:
		pix, step = m.Pix, 8
	}
	last := make([]uint8, len(pix)/step)
	for i := range last {
		last[i] = pix[i*step+step*3/4]
	}
	return last
}

// inks takes what was read as three colours and an alpha for cyan, magenta, yellow and black.
func inks(p *RGB, black []uint8) *stdimage.CMYK {
	m := stdimage.NewCMYK(stdimage.Rect(0, 0, p.Width, p.Height))
	for i := range black {
		m.Pix[4*i], m.Pix[4*i+1], m.Pix[4*i+2], m.Pix[4*i+3] = p.plane(0)[i], p.plane(1)[i], p.plane(2)[i], black[i]
	}
	return m
}

// Values of photometric interpretation.
const (
	tiffRGB  = 2
	tiffCMYK = 5
)

// unread names what of the picture golang.org/x/image/tiff does not read, or would read wrongly without a word.
func (d tiffDirectory) unread() string {
	samples := cmp.Or(len(d[tiffBits].ints()), 1)
	switch compression := d.int(tiffCompression, 1); compression {
	case 1, 3, 4, 5, 8, 32773, 32946:
		if d.int(tiffFillOrder, 1) == 2 && compression != 3 && compression != 4 {
			return "TIFF with its bits in reverse order"
		}
	case 6, 7:
		return "TIFF with JPEG compression"
	case 34925:
		return "TIFF with LZMA compression"
	case 50000:
		return "TIFF with Zstandard compression"
	case 50001:
		return "TIFF with WebP compression"
	default:
		return fmt.Sprintf("TIFF with compression %d", compression)
	}
	for _, b := range d[tiffBits].ints() {
		if b != 1 && b != 8 && b != 16 {
			return fmt.Sprintf("TIFF with %d bits a sample", b)
		}
	}
	if format := d.int(tiffSampleFormat, 1); format != 1 {
		return "TIFF with signed or floating-point samples"
	}
	if d.int(tiffPlanes, 1) == 2 && samples > 1 {
		return "TIFF with each colour in a plane of its own"
	}
	if p := d.int(tiffPredictor, 1); p > 2 {
		return fmt.Sprintf("TIFF with predictor %d", p)
	}
	switch p := d.int(tiffPhotometric, 0); {
	case p == 0 && d.int(tiffBits, 1) == 16:
		return "TIFF with 16-bit greys of which zero is white"
	case (p == 0 || p == 1 || p == 3) && samples > 1:
		return "TIFF with grey or palette and further samples"
	case p == tiffRGB && (samples < 3 || samples > 4), p == tiffCMYK && samples != 4:
		return fmt.Sprintf("TIFF with colours of kind %d in samples of %v bits", p, d[tiffBits].ints())
	case p > 3 && p != tiffCMYK:
		return fmt.Sprintf("TIFF with colours of kind %d", p)
	}
	return ""
}

// readable gives a picture of four samples that golang.org/x/image/tiff refuses (CMYK, or RGB with a fourth sample of which
// nothing is said) another directory, which calls them three colours and an alpha that is not multiplied in.
func (d tiffDirectory) readable(data []byte) []byte {
	four := len(d[tiffBits].ints()) == 4
	if p := d.int(tiffPhotometric, 0); !four || p == tiffRGB && d.int(tiffExtraSamples, 0) != 0 {
		return data
	}
	order := d[tiffBits].order
	line := func(tag, value uint16) tiffValue {
		raw := make([]byte, tiffLine)
		for i, v := range []uint16{tag, 3} {
			order.PutUint16(raw[2*i:], v)
		}
		order.PutUint32(raw[4:], 1)
		order.PutUint16(raw[8:], value)
		return tiffValue{raw: raw}
	}
	changed := maps.Clone(d)
	changed[tiffPhotometric], changed[tiffExtraSamples] = line(tiffPhotometric, tiffRGB), line(tiffExtraSamples, 2)
	out := slices.Clone(data)
	order.PutUint32(out[4:], uint32(len(out)))
	out = order.(binary.AppendByteOrder).AppendUint16(out, uint16(len(changed)))
	for _, tag := range slices.Sorted(maps.Keys(changed)) {
		out = append(out, changed[tag].raw...)
	}
	return append(out, 0, 0, 0, 0)
}
