package image

import (
	"bytes"
	"encoding/binary"
	stdimage "image"
	"image/png"
)

// The colour types of a PNG.
const (
	pngGrey    = 0
	pngRGB     = 2
	pngPalette = 3
)

func decodePNG(data []byte) (*RGB, error) {
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	f := readPNG(data)
	if f.depth == 16 && f.colour == pngGrey {
		p := clipped(img)
		if len(f.clear) >= 2 {
			p.whiten(key{f.clear[1], 0, 0})
		}
		return p, nil
	}
	p, err := planar(img)
	if err != nil {
		return nil, err
	}
	if clear, ok := f.key(img); ok {
		p.whiten(clear)
	}
	return p, nil
}

// clipped cuts 16-bit greys off at 255, as PIL's convert("RGB") does.
func clipped(img stdimage.Image) *RGB {
	p := New(img.Bounds().Dx(), img.Bounds().Dy())
	pix, step := []uint8(nil), 2
	switch m := img.(type) {
	case *stdimage.Gray16:
		pix = m.Pix
	case *stdimage.NRGBA64: // image/png's form for greys of which one is transparent
		pix, step = m.Pix, 8
	}
	grey := p.plane(0)
	for i := range grey {
		grey[i] = uint8(min(binary.BigEndian.Uint16(pix[i*step:]), 255))
	}
	copy(p.plane(1), grey)
	copy(p.plane(2), grey)
	return p
}

// key is the one colour that stands for transparency.
type key [3]uint8

// whiten is what transformers' image processors make of such a colour.
func (p *RGB) whiten(k key) {
	red, green, blue := p.plane(0), p.plane(1), p.plane(2)
	for i := range red {
		if red[i] == k[0] && green[i] == k[1] && blue[i] == k[2] {
			red[i], green[i], blue[i] = 255, 255, 255
		}
	}
}

// key is the transparent colour as PIL hands it to the processor: low bytes only, greys of 2 and 4 bits
// unscaled. A palette has one only where a single entry is fully transparent and all others are opaque.
func (f *pngFile) key(img stdimage.Image) (key, bool) {
	c := f.clear
	switch {
	case f.colour == pngRGB && len(c) >= 6:
		return key{c[1], c[3], c[5]}, true
	case f.colour == pngGrey && f.depth == 1 && len(c) >= 2: // the other one is white already
		return key{}, c[0] == 0 && c[1] == 0
	case f.colour == pngGrey && len(c) >= 2:
		return key{c[1], c[1], c[1]}, true
	case f.colour == pngPalette:
		at := bytes.IndexByte(c, 0)
		if at < 0 || bytes.Count(c, []byte{255}) != len(c)-1 {
			return key{}, false
		}
		return paletteTable(img.(*stdimage.Paletted).Palette)[at], true
	}
	return key{}, false
}
