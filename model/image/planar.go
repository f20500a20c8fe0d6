package image

import (
	"fmt"
	stdimage "image"
	"image/color"
)

// planar copies a decoded picture into planes. The decoders give few types; each has its colours at fixed
// places, so most are one strided copy. Alpha is left behind, not multiplied in: PIL does the same.
func planar(img stdimage.Image) (*RGB, error) {
	b := img.Bounds()
	p := New(b.Dx(), b.Dy())
	switch m := img.(type) {
	case *stdimage.Gray:
		p.strided(m.Pix, m.Stride, 1, 0, 0, 0)
	case *stdimage.Gray16:
		p.strided(m.Pix, m.Stride, 2, 0, 0, 0) // big-endian: the high byte comes first
	case *stdimage.RGBA: // only from formats without alpha: it would be multiplied in here
		p.strided(m.Pix, m.Stride, 4, 0, 1, 2)
	case *stdimage.NRGBA:
		p.strided(m.Pix, m.Stride, 4, 0, 1, 2)
	case *stdimage.RGBA64:
		p.strided(m.Pix, m.Stride, 8, 0, 2, 4)
	case *stdimage.NRGBA64:
		p.strided(m.Pix, m.Stride, 8, 0, 2, 4)
	case *stdimage.Paletted:
		p.paletted(m)
	case *stdimage.CMYK:
		p.cmyk(m)
	default:
		return nil, unread(fmt.Sprintf("a picture of type %T", img))
	}
	return p, nil
}

// strided copies from interleaved pixels of step bytes, whose red, green and blue stand at the offsets r, g, b.
func (p *RGB) strided(pix []uint8, stride, step, r, g, b int) {
	red, green, blue := p.plane(0), p.plane(1), p.plane(2)
	for y := range p.Height {
		row := pix[y*stride:]
		for x := range p.Width {
			o, i := x*step, y*p.Width+x
			red[i], green[i], blue[i] = row[o+r], row[o+g], row[o+b]
		}
	}
}

func (p *RGB) paletted(m *stdimage.Paletted) {
	table := paletteTable(m.Palette)
	red, green, blue := p.plane(0), p.plane(1), p.plane(2)
	for y := range p.Height {
		for x, c := range m.Pix[y*m.Stride : y*m.Stride+p.Width] {
			i := y*p.Width + x
			red[i], green[i], blue[i] = table[c][0], table[c][1], table[c][2]
		}
	}
}

// paletteTable holds a colour for each byte: black beyond the palette, and greys where there is none, as in PIL.
func paletteTable(palette color.Palette) (table [256][3]uint8) {
	if palette == nil {
		for i := range table {
			table[i] = [3]uint8{uint8(i), uint8(i), uint8(i)}
		}
	}
	for i, c := range palette {
		n := color.NRGBAModel.Convert(c).(color.NRGBA)
		table[i] = [3]uint8{n.R, n.G, n.B}
	}
	return table
}

// cmyk uses PIL's simple conversion, without a colour profile.
func (p *RGB) cmyk(m *stdimage.CMYK) {
	for c := range 3 {
		out := p.plane(c)
		for y := range p.Height {
			row := m.Pix[y*m.Stride:]
			for x := range p.Width {
				ink, left := int(row[4*x+c]), 255-int(row[4*x+3])
				t := ink*left + 128
				out[y*p.Width+x] = clip8(left - ((t>>8)+t)>>8) // rounded ink·left/255
			}
		}
	}
}

func clip8(v int) uint8 { return uint8(min(max(v, 0), 255)) }
