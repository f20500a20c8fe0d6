package image

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	stdimage "image"
	"image/jpeg"
	"io"

	"golang.org/x/sync/semaphore"

	"espalier/torch/disk"
)

// Bounds on what a picture may cost. A few bytes can ask for gigabytes and hours: a header that claims any size, compression
// that shrinks a plain area to nothing, a scan of a progressive JPEG that is a pass over the whole picture.
const (
	// MaxPixels caps width × height. It is PIL's own limit.
	MaxPixels = 178_956_970

	maxBytes = 1 << 29 // of a file
	maxScans = 100     // of a progressive JPEG; encoders write about ten

	// A picture beyond cheapPixels must have a byte in its file for each pixelsPerByte. Deflate cannot fall below a byte for
	// 1,032 pixels; only 1-bit pictures, GIF, WebP and forged files can.
	cheapPixels   = 1 << 24
	pixelsPerByte = 4096
)

// decoding bounds the pixels that are decoded at once, so that memory does not grow with the number of goroutines.
var decoding = semaphore.NewWeighted(MaxPixels)

// reserve waits until so many pixels, at most MaxPixels, may be decoded. The caller calls done afterwards.
func reserve(pixels int) (done func()) {
	_ = decoding.Acquire(context.Background(), int64(pixels)) // fails only when a context ends
	return func() { decoding.Release(int64(pixels)) }
}

// ReadFile reads a picture's file for Decode: a regular file, not of any size. Errors name the path.
func ReadFile(path string) ([]byte, error) {
	f, info, err := disk.Open(path)
	if err != nil {
		return nil, fmt.Errorf("image: cannot read: %w", err)
	}
	defer f.Close()
	data, err := ReadAt(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("image: %s: %w", path, err)
	}
	return data, nil
}

// ReadAt is ReadFile for a picture of so many bytes that is part of something larger. Errors do not name it.
func ReadAt(f io.ReaderAt, size int64) ([]byte, error) {
	if err := checkBytes(size); err != nil {
		return nil, err
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(f, 0, size), data); err != nil {
		return nil, fmt.Errorf("cannot read: %w", err)
	}
	return data, nil
}

func checkBytes(size int64) error {
	if size > maxBytes {
		return fmt.Errorf("the file has %d bytes, more than the cap of %d; make the picture smaller", size, maxBytes)
	}
	return nil
}

// checkSize refuses what would take too much memory or time for a file of so many bytes.
func (k *kind) checkSize(width, height int, size int64) error {
	switch {
	case width <= 0 || height <= 0:
		return fmt.Errorf("the %s picture has no pixels (%dx%d); replace it", k.name, width, height)
	case width > MaxPixels/height:
		return fmt.Errorf("the %s picture has %dx%d pixels, more than the cap of %d; make it smaller", k.name, width, height, MaxPixels)
	case width*height > cheapPixels && int64(width*height) > pixelsPerByte*size:
		return fmt.Errorf("the %s picture has %dx%d pixels in %d bytes; beyond %d pixels there must be a byte for each %d; make it smaller",
			k.name, width, height, size, cheapPixels, pixelsPerByte)
	}
	return nil
}

// jpegConfig reads the header, and counts the scans of a progressive picture, which need hardly a byte each. In other pictures
// each block of a scan takes bits of the file.
func jpegConfig(r io.Reader) (stdimage.Config, error) {
	var begin bytes.Buffer
	c, err := jpeg.DecodeConfig(io.TeeReader(r, &begin))
	if err == nil && jpegScans(bufio.NewReader(io.MultiReader(&begin, r))) > maxScans {
		err = unread(fmt.Sprintf("JPEG with more than %d scans", maxScans))
	}
	return c, err
}

// jpegScans counts up to one more scan than may be. It gives 0 for a picture that is not progressive, and ends where the file
// does: the decoder says what is wrong.
func jpegScans(r *bufio.Reader) (scans int) {
	for scans <= maxScans {
		if _, err := r.ReadSlice(0xff); err == bufio.ErrBufferFull {
			continue
		} else if err != nil {
			return scans
		}
		marker := byte(0xff)
		for marker == 0xff { // fill bytes
			var err error
			if marker, err = r.ReadByte(); err != nil {
				return scans
			}
		}
		switch {
		case marker == 0 || marker == 0x01 || marker >= 0xd0 && marker <= 0xd8: // without a length
			continue
		case marker == 0xc0 || marker == 0xc1: // not progressive
			return 0
		case marker == 0xd9: // the end
			return scans
		case marker == 0xda:
			scans++
		}
		high, err := r.ReadByte()
		if err != nil {
			return scans
		}
		low, err := r.ReadByte()
		if err != nil {
			return scans
		}
		if _, err := r.Discard(max(0, int(high)<<8|int(low)-2)); err != nil {
			return scans
		}
	}
	return scans
}
