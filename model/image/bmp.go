package image

import (
	"bytes"
	"encoding/binary"
	"fmt"
	stdimage "image"
	"io"

	"golang.org/x/image/bmp"
)

func decodeBMP(data []byte) (*RGB, error) {
	img, err := bmp.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return planar(img)
}

// bmpConfig says why, where the library does not read a picture.
func bmpConfig(r io.Reader) (stdimage.Config, error) {
	head := make([]byte, 34)
	n, err := io.ReadFull(r, head)
	if err == nil {
		if name := unreadBMP(head); name != "" {
			return stdimage.Config{}, unread(name)
		}
	}
	return bmp.DecodeConfig(io.MultiReader(bytes.NewReader(head[:n]), r))
}

// unreadBMP names what of a header is not read: file header of 14 bytes, then size of the second header, width, height,
// planes, bits a pixel, compression.
func unreadBMP(head []byte) string {
	bits := binary.LittleEndian.Uint16(head[28:])
	switch size := binary.LittleEndian.Uint32(head[14:]); {
	case size == 12 || size == 64:
		return "OS/2's BMP"
	case size != 40 && size != 108 && size != 124:
		return fmt.Sprintf("BMP with a header of %d bytes", size)
	case bits == 16:
		return "BMP with 16 bits a pixel"
	}
	switch compression := binary.LittleEndian.Uint32(head[30:]); compression {
	case 0:
		return ""
	case 1, 2:
		return "BMP with run-length compression"
	case 3: // colours at places of their own; the library reads the usual ones
		if bits == 32 {
			return ""
		}
		return "BMP with masks of bits"
	default:
		return fmt.Sprintf("BMP with compression %d", compression)
	}
}
