// Package image reads pictures into planar RGB and resizes them, so that the numbers agree with Python's PIL:
// resizing to the bit, decoding to the bit for PNG and WebP and within a few levels for JPEG.
package image

import (
	"bytes"
	"errors"
	"fmt"
	stdimage "image"
	"image/jpeg"
	"image/png"
	"io"
	"os"

	"golang.org/x/image/webp"

	"espalier/torch/textfile"
)

// MaxPixels caps width × height: a forged header must not take all memory. It is PIL's own limit.
const MaxPixels = 178_956_970

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

// Load reads a PNG (any colour type), JPEG or WebP file. Alpha is dropped as PIL's convert("RGB") does, 16 bits
// are cut to the high byte, a JPEG is turned as its EXIF orientation says. The kind is told by the content, not
// by the file's name. Errors name the path.
func Load(path string) (*RGB, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("image: cannot read: %w", err)
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
	if err := k.checkHeader(bytes.NewReader(data)); err != nil {
		return nil, err
	}
	img, err := k.decode(bytes.NewReader(data))
	if err != nil {
		return nil, k.broken(err)
	}
	p, err := k.planar(img)
	if err != nil {
		return nil, err
	}
	if k.name == "JPEG" {
		p = p.oriented(exifOrientation(data))
	}
	return p, nil
}

// kind is one file format.
type kind struct {
	name   string
	header func(io.Reader) (stdimage.Config, error)
	decode func(io.Reader) (stdimage.Image, error)
	planar func(stdimage.Image) (*RGB, error)
}

var (
	pngKind  = &kind{"PNG", png.DecodeConfig, png.Decode, planar}
	jpegKind = &kind{"JPEG", jpeg.DecodeConfig, jpeg.Decode, planarJPEG}
	webpKind = &kind{"WebP", webp.DecodeConfig, webp.Decode, planarWebP}
)

// sniffLen is how many bytes kindOf needs.
const sniffLen = 12

func kindOf(data []byte) (*kind, error) {
	switch {
	case bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")):
		return pngKind, nil
	case bytes.HasPrefix(data, []byte("\xff\xd8\xff")):
		return jpegKind, nil
	case len(data) >= sniffLen && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP":
		return webpKind, nil
	case len(data) == 0:
		return nil, errors.New("the file is empty; replace it")
	case textfile.IsPointer(data):
		return nil, errors.New("it " + textfile.Pointer)
	}
	return nil, errors.New("not a PNG, JPEG or WebP picture; convert it to one of them")
}

func (k *kind) checkHeader(r io.Reader) error {
	c, err := k.header(r)
	if err != nil {
		return k.broken(err)
	}
	if c.Width <= 0 || c.Height <= 0 {
		return fmt.Errorf("the %s picture has no pixels (%dx%d); replace it", k.name, c.Width, c.Height)
	}
	if c.Width > MaxPixels/c.Height {
		return fmt.Errorf("the %s picture has %dx%d pixels, more than the cap of %d; make it smaller", k.name, c.Width, c.Height, MaxPixels)
	}
	return nil
}

func (k *kind) broken(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // "EOF" alone reads as if all were well
	}
	return fmt.Errorf("broken %s picture: %w; replace the file", k.name, err)
}
