// Package image reads pictures into planar RGB and resizes them, so that the numbers agree with Python's PIL
// and transformers: to the bit, but for JPEG, which is decoded to within a few levels. docs/pictures.md says what is read.
package image

import (
	"bytes"
	"fmt"
)

// RGB is a picture of 8 bits a channel, planar.
type RGB struct {
	Width, Height int
	Pix           []uint8 // [3, Height, Width]: all red values, then green, then blue
}

// New makes a black picture.
func New(width, height int) *RGB {
	return &RGB{Width: width, Height: height, Pix: make([]uint8, 3*width*height)}
}

// plane is one colour, [Height, Width].
func (p *RGB) plane(c int) []uint8 {
	n := p.Width * p.Height
	return p.Pix[c*n : (c+1)*n : (c+1)*n]
}

// Load reads the first picture of a PNG, JPEG, WebP, GIF, BMP or TIFF file as transformers' load_image and image
// processor do: turned as its notes say; an alpha channel dropped, not multiplied in; one transparent colour made
// white. The kind follows from the content, not by the file's name. Errors name the path.
func Load(path string) (*RGB, error) {
	data, err := ReadFile(path)
	if err != nil {
		return nil, err
	}
	p, err := Decode(data)
	if err != nil {
		return nil, fmt.Errorf("image: %s: %w", path, err)
	}
	return p, nil
}

// Decode is Load for a file that is in memory already.
func Decode(data []byte) (*RGB, error) {
	k, err := kindOf(data)
	if err != nil {
		return nil, err
	}
	pixels, err := k.checkHeader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	defer reserve(pixels)()
	p, err := k.decode(data)
	if err != nil {
		return nil, k.fault(err)
	}
	return p.oriented(k.notes(data).orientation()), nil
}
