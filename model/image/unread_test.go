package image

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// file is one of formats.json's.
func file(t *testing.T, name string) []byte {
	t.Helper()
	for _, f := range formats(t) {
		if f.Name == name {
			return bytes.Clone(f.File)
		}
	}
	t.Fatalf("formats.json has no %s", name)
	return nil
}

// retagged gives a TIFF other values, of 16 bits.
func retagged(t *testing.T, name string, values map[uint16]uint16) []byte {
	data := file(t, name)
	for tag, v := range values {
		line, ok := tiffTags(data)[tag]
		require.True(t, ok, "%s: tag %d", name, tag)
		if len(line.data) > 4 {
			line.order.PutUint16(line.data, v)
		} else {
			line.order.PutUint16(line.raw[2:], 3)
			line.order.PutUint16(line.raw[8:], v)
		}
	}
	return data
}

// edited writes a number of 16 bits to a place of a file.
func edited(data []byte, at int, value uint16) []byte {
	binary.LittleEndian.PutUint16(data[at:], value)
	return data
}

// What is not read is recognized by its content, with what to do, by Load and by Check.
func TestUnreadPicturesAreNamed(t *testing.T) {
	const bmpHeader, bmpBits, bmpCompression = 14, 28, 30
	rgb, grey := "tiff/II rgb 8", "tiff/MM grey 8, 1"
	for want, data := range map[string][]byte{
		"AVIF":             []byte("\x00\x00\x00\x20ftypavif\x00\x00\x00\x00"),
		"HEIC":             []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00"),
		"JPEG XL":          []byte("\xff\x0a\x00\x00"),
		"JPEG 2000":        []byte("\x00\x00\x00\x0cjP  \r\n\x87\n"),
		"Photoshop's PSD":  []byte("8BPS\x00\x01"),
		"PDF":              []byte("%PDF-1.7"),
		"ICO":              []byte("\x00\x00\x01\x00\x01\x00"),
		"SVG":              []byte("<?xml version=\"1.0\"?>\n<!-- drawn -->\n<svg xmlns=\"http://www.w3.org/2000/svg\">"),
		"BigTIFF":          []byte("II+\x00\x08\x00\x00\x00"),
		"run-length":       edited(file(t, "bmp/palette 8"), bmpCompression, 1),
		"16 bits a pixel":  edited(file(t, "bmp/24, header of 40"), bmpBits, 16),
		"OS/2's BMP":       edited(file(t, "bmp/24, header of 40"), bmpHeader, 12),
		"BMP with masks":   edited(file(t, "bmp/24, header of 108"), bmpCompression, 3),
		"such a BMP":       edited(file(t, "bmp/32, header of 108"), bmpCompression, 3), // masks of zero
		"compression 4":    edited(file(t, "bmp/24, header of 40"), bmpCompression, 4),
		"JPEG compression": retagged(t, rgb, map[uint16]uint16{tiffCompression: 7}),
		"Zstandard":        retagged(t, rgb, map[uint16]uint16{tiffCompression: 50000}),
		"compression 2":    retagged(t, rgb, map[uint16]uint16{tiffCompression: 2}),
		"reverse order":    retagged(t, "tiff/MM fill order", map[uint16]uint16{tiffFillOrder: 2}),
		"4 bits a sample":  retagged(t, grey, map[uint16]uint16{tiffBits: 4}),
		"kind 6":           retagged(t, rgb, map[uint16]uint16{tiffPhotometric: 6}),
		"zero is white":    retagged(t, "tiff/II grey 16", map[uint16]uint16{tiffPhotometric: 0}),
		"further samples":  retagged(t, rgb, map[uint16]uint16{tiffPhotometric: 1}),
		"floating-point":   retagged(t, "tiff/II sample format", map[uint16]uint16{tiffSampleFormat: 3}),
		"plane of its own": retagged(t, "tiff/II planes", map[uint16]uint16{tiffPlanes: 2}),
		"predictor 3":      retagged(t, "tiff/tiff_lzw rgb, predictor", map[uint16]uint16{tiffPredictor: 3}),
	} {
		path := write(t, "picture.png", data)
		_, err := Load(path)
		for _, err := range []error{err, Check(path)} {
			require.ErrorContains(t, err, want)
			assert.ErrorContains(t, err, path)
			assert.ErrorContains(t, err, "is not read by this program; convert the picture to PNG", want)
		}
	}
}

// A forged header of any format must be refused before memory is taken for it.
func TestAbsurdDimensionsOfFormats(t *testing.T) {
	gif := edited(edited(file(t, "gif/plain"), 6, 60_000), 8, 60_000)
	frame := edited(edited(file(t, "gif/no palette"), 18, 60_000), 20, 60_000)
	bmp := edited(edited(file(t, "bmp/24, header of 40"), 18, 60_000), 22, 60_000)
	webp := edited(edited(file(t, "webp/animated alpha, lossy"), 24, 45_000), 27, 45_000)
	// Its header is fine, its pixels say otherwise.
	inside := file(t, "webp/flag of alpha without alpha")
	_, err := Decode(edited(edited(inside, 44, 16_383), 46, 16_383)) // after the start code of the frame
	assert.ErrorContains(t, err, "broken WebP picture: webp: invalid format")
	tiff := retagged(t, "tiff/II rgb 8", map[uint16]uint16{256: 60_000, 257: 60_000})
	for name, data := range map[string][]byte{"gif": gif, "frame": frame, "bmp": bmp, "webp": webp, "tiff": tiff} {
		path := write(t, name, data)
		_, err := Load(path)
		assert.ErrorContains(t, err, "pixels, more than the cap of", name)
		assert.ErrorContains(t, Check(path), "pixels, more than the cap of", name)
	}
}
