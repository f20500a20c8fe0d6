package image

import (
	"bytes"
	"errors"
	"fmt"
	stdimage "image"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"

	"espalier/torch/textfile"
)

// kind is one file format.
type kind struct {
	name   string
	header func(io.Reader) (stdimage.Config, error)
	decode func(data []byte) (*RGB, error)
	notes  func(data []byte) notes
}

var (
	pngKind  = &kind{"PNG", png.DecodeConfig, decodePNG, pngNotes}
	jpegKind = &kind{"JPEG", jpegConfig, decodeJPEG, jpegNotes}
	webpKind = &kind{"WebP", webp.DecodeConfig, decodeWebP, webpNotes}
	gifKind  = &kind{"GIF", gifConfig, decodeGIF, noNotes}
	bmpKind  = &kind{"BMP", bmpConfig, decodeBMP, noNotes}
	tiffKind = &kind{"TIFF", tiffConfig, decodeTIFF, tiffNotes}
)

// sniffLen is how many bytes kindOf looks at.
const sniffLen = 256

// kindOf goes by the first bytes; a name's ending says nothing.
func kindOf(data []byte) (*kind, error) {
	switch {
	case bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")):
		return pngKind, nil
	case bytes.HasPrefix(data, []byte("\xff\xd8\xff")):
		return jpegKind, nil
	case len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP":
		return webpKind, nil
	case bytes.HasPrefix(data, []byte("GIF87a")), bytes.HasPrefix(data, []byte("GIF89a")):
		return gifKind, nil
	case bytes.HasPrefix(data, []byte("BM")):
		return bmpKind, nil
	case bytes.HasPrefix(data, []byte("II*\x00")), bytes.HasPrefix(data, []byte("MM\x00*")):
		return tiffKind, nil
	case len(data) == 0:
		return nil, errors.New("the file is empty; replace it")
	}
	if textfile.IsPointer(data) {
		return nil, errors.New("it " + textfile.Pointer)
	}
	if name := unreadKind(data[:min(len(data), sniffLen)]); name != "" {
		return nil, unread(name)
	}
	return nil, errors.New("not a picture that this program reads (PNG, JPEG, WebP, GIF, BMP, TIFF); convert it to PNG")
}

// unreadKind names what is no picture that is read here, where its first bytes tell.
func unreadKind(data []byte) string {
	for _, k := range []struct{ start, name string }{
		{"II+\x00", "BigTIFF"}, {"MM\x00+", "BigTIFF"},
		{"\xff\x0a", "JPEG XL"}, {"\x00\x00\x00\x0cJXL ", "JPEG XL"},
		{"\xff\x4f\xff\x51", "JPEG 2000"}, {"\x00\x00\x00\x0cjP  ", "JPEG 2000"},
		{"8BPS", "Photoshop's PSD"}, {"%PDF", "PDF"}, {"\x00\x00\x01\x00", "ICO"},
	} {
		if bytes.HasPrefix(data, []byte(k.start)) {
			return k.name
		}
	}
	if len(data) >= 12 && string(data[4:8]) == "ftyp" {
		switch string(data[8:12]) {
		case "avif", "avis":
			return "AVIF"
		case "heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1":
			return "HEIC"
		}
	}
	text := bytes.ToLower(bytes.TrimLeft(bytes.TrimPrefix(data, []byte("\ufeff")), " \t\r\n"))
	if bytes.HasPrefix(text, []byte("<")) && bytes.Contains(text, []byte("<svg")) {
		return "SVG"
	}
	return ""
}

// unread is a format, or a feature of one, that is not decoded here.
type unread string

func (u unread) Error() string {
	return string(u) + " is not read by this program; convert the picture to PNG"
}

// checkHeader refuses what cannot be decoded or would cost too much, before it does, and gives the number of pixels. r reads a
// file of so many bytes.
func (k *kind) checkHeader(r io.Reader, size int64) (pixels int, err error) {
	c, err := k.header(r)
	if err != nil {
		return 0, k.fault(err)
	}
	return c.Width * c.Height, k.checkSize(c.Width, c.Height, size)
}

// fault says what is wrong: the file, or only that this program does not read such files.
func (k *kind) fault(err error) error {
	var own unread
	var inJPEG jpeg.UnsupportedError
	var inPNG png.UnsupportedError
	var inTIFF tiff.UnsupportedError
	switch {
	case errors.As(err, &own):
		return err
	case errors.As(err, &inJPEG), errors.As(err, &inPNG), errors.As(err, &inTIFF), errors.Is(err, bmp.ErrUnsupported):
		return unread(fmt.Sprintf("such a %s picture (%v)", k.name, err))
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF // "EOF" alone reads as if all were well
	}
	return fmt.Errorf("broken %s picture: %w; replace the file", k.name, err)
}
