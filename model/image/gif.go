package image

import (
	"bufio"
	"bytes"
	"compress/lzw"
	"errors"
	"fmt"
	stdimage "image"
	"image/color"
	"io"
)

// gifFrame is the first picture of a GIF. image/gif decodes it too, but forgets the colour that stands for
// transparency, and refuses pictures without a palette and frames that reach beyond the canvas, which PIL reads.
type gifFrame struct {
	width, height int // of the canvas
	box           stdimage.Rectangle
	palette       color.Palette
	clear         int // the index that stands for transparency, or -1
	interlaced    bool
	codeBits      int
}

// gifConfig reads the header as far as the first frame, which can make the canvas larger.
func gifConfig(r io.Reader) (stdimage.Config, error) {
	f, err := readGIF(bufio.NewReader(r))
	if err != nil {
		return stdimage.Config{}, err
	}
	return stdimage.Config{Width: f.width, Height: f.height}, nil
}

// decodeGIF lays the frame on a canvas of the transparent colour, or of the palette's first, as PIL does.
func decodeGIF(data []byte) (*RGB, error) {
	r := bufio.NewReader(bytes.NewReader(data))
	f, err := readGIF(r)
	if err != nil {
		return nil, err
	}
	canvas := stdimage.NewPaletted(stdimage.Rect(0, 0, f.width, f.height), f.palette)
	if f.clear > 0 {
		for i := range canvas.Pix {
			canvas.Pix[i] = uint8(f.clear)
		}
	}
	codes := lzw.NewReader(&gifBlocks{r: r}, lzw.LSB, f.codeBits)
	defer codes.Close()
	for _, pass := range gifPasses(f.interlaced) {
		for y := pass.first; y < f.box.Dy(); y += pass.step {
			row := canvas.Pix[canvas.PixOffset(f.box.Min.X, f.box.Min.Y+y):][:f.box.Dx()]
			if _, err := io.ReadFull(codes, row); err != nil {
				return nil, err
			}
		}
	}
	p, err := planar(canvas)
	if err == nil && f.clear >= 0 {
		p.whiten(paletteTable(f.palette)[f.clear])
	}
	return p, err
}

// readGIF reads up to the codes of the first frame.
func readGIF(r *bufio.Reader) (*gifFrame, error) {
	var head [13]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	f := &gifFrame{width: int(head[6]) | int(head[7])<<8, height: int(head[8]) | int(head[9])<<8, clear: -1}
	var err error
	if f.palette, err = gifPalette(r, head[10], nil); err != nil {
		return nil, err
	}
	for {
		block, err := r.ReadByte()
		if err != nil {
			return nil, err
		}
		switch block {
		case '!':
			if err := f.extension(r); err != nil {
				return nil, err
			}
		case ',':
			return f, f.descriptor(r)
		case ';':
			return nil, errors.New("it ends before its first frame")
		}
	}
}

// extension reads the index of the transparent colour, and passes over what else there may be.
func (f *gifFrame) extension(r *bufio.Reader) error {
	label, err := r.ReadByte()
	if err != nil {
		return err
	}
	for first := true; ; first = false {
		size, err := r.ReadByte()
		if err != nil {
			return err
		}
		if size == 0 {
			return nil
		}
		block := make([]byte, size)
		if _, err := io.ReadFull(r, block); err != nil {
			return err
		}
		const graphicControl, clearColour = 0xf9, 1
		if first && label == graphicControl && size >= 4 && block[0]&clearColour != 0 {
			f.clear = int(block[3])
		}
	}
}

func (f *gifFrame) descriptor(r *bufio.Reader) error {
	var d [9]byte
	if _, err := io.ReadFull(r, d[:]); err != nil {
		return err
	}
	x, y := int(d[0])|int(d[1])<<8, int(d[2])|int(d[3])<<8
	f.box = stdimage.Rect(x, y, x+(int(d[4])|int(d[5])<<8), y+(int(d[6])|int(d[7])<<8))
	f.width, f.height = max(f.width, f.box.Max.X), max(f.height, f.box.Max.Y)
	f.interlaced = d[8]&0x40 != 0
	var err error
	if f.palette, err = gifPalette(r, d[8], f.palette); err != nil {
		return err
	}
	bits, err := r.ReadByte()
	if err == nil && (bits < 2 || bits > 8) {
		err = fmt.Errorf("%d bits a pixel", bits)
	}
	f.codeBits = int(bits)
	return err
}

// gifPalette reads a palette if the flags announce one. One of which each colour is the grey of its own index is taken for
// none, as in PIL.
func gifPalette(r io.Reader, flags byte, otherwise color.Palette) (color.Palette, error) {
	if flags&0x80 == 0 {
		return otherwise, nil
	}
	raw := make([]byte, 3<<(flags&7+1))
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, err
	}
	palette, greys := make(color.Palette, len(raw)/3), true
	for i := range palette {
		c := color.RGBA{raw[3*i], raw[3*i+1], raw[3*i+2], 255}
		palette[i], greys = c, greys && c == color.RGBA{uint8(i), uint8(i), uint8(i), 255}
	}
	if greys {
		return otherwise, nil
	}
	return palette, nil
}

type gifPass struct{ first, step int }

// gifPasses are the rows in the order in which they come.
func gifPasses(interlaced bool) []gifPass {
	if interlaced {
		return []gifPass{{0, 8}, {4, 8}, {2, 4}, {1, 2}}
	}
	return []gifPass{{0, 1}}
}

// gifBlocks reads through blocks of up to 255 bytes; an empty one is the end.
type gifBlocks struct {
	r    *bufio.Reader
	left byte
	end  bool
}

func (b *gifBlocks) ReadByte() (byte, error) {
	if b.end {
		return 0, io.EOF
	}
	if b.left == 0 {
		size, err := b.r.ReadByte()
		if err != nil || size == 0 {
			b.end = true
			return 0, io.EOF
		}
		b.left = size
	}
	b.left--
	return b.r.ReadByte()
}

// Read is there for the interface: lzw reads bytes.
func (b *gifBlocks) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c, err := b.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = c
	return 1, nil
}
