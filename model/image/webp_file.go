package image

import (
	"bytes"
	"encoding/binary"
	"errors"

	"golang.org/x/image/webp"
)

// The bits of a VP8X chunk's first byte.
const (
	webpAnimated = 1 << 1
	webpXMP      = 1 << 2
	webpEXIF     = 1 << 3
	webpAlpha    = 1 << 4
)

// webpChunk is a part of a WebP file: a name of four letters and its content.
type webpChunk struct {
	name string
	body []byte
}

// webpChunks splits a run of chunks; one that is cut short ends it.
func webpChunks(data []byte) (all []webpChunk) {
	for len(data) >= 8 {
		size := int64(binary.LittleEndian.Uint32(data[4:]))
		if size > int64(len(data)-8) {
			break
		}
		all = append(all, webpChunk{string(data[:4]), data[8 : 8+size]})
		data = data[min(8+size+size&1, int64(len(data))):]
	}
	return all
}

func webpNotes(data []byte) (n notes) {
	var flags byte
	for _, c := range webpChunks(data[12:]) {
		switch {
		case c.name == "VP8X" && len(c.body) > 0:
			flags = c.body[0]
		case c.name == "EXIF" && flags&webpEXIF != 0 && n.exif == nil:
			n.exif = c.body
		case c.name == "XMP " && flags&webpXMP != 0 && n.xmp == nil:
			n.xmp = c.body
		}
	}
	return n
}

// decodeWebP takes the first frame of an animation, laid on a canvas that is black where the frame does not reach, as
// libwebp does.
func decodeWebP(data []byte) (*RGB, error) {
	chunks := webpChunks(data[12:])
	if len(chunks) == 0 || chunks[0].name != "VP8X" || len(chunks[0].body) < 10 {
		return decodeFrame(data)
	}
	head := chunks[0].body
	if head[0]&webpAnimated == 0 {
		return decodeFrame(webpOfFrame(head[4:10], chunks))
	}
	for _, c := range chunks {
		if c.name != "ANMF" || len(c.body) < 16 {
			continue
		}
		// where it goes, in steps of two; its size; how long it stays; its chunks
		x, y, size := 2*uint24(c.body), 2*uint24(c.body[3:]), c.body[6:12]
		width, height := uint24(head[4:])+1, uint24(head[7:])+1
		if x+uint24(size)+1 > width || y+uint24(size[3:])+1 > height {
			return nil, errors.New("its first frame is larger than the picture")
		}
		frame, err := decodeFrame(webpOfFrame(size, webpChunks(c.body[16:])))
		if err != nil {
			return nil, err
		}
		canvas := New(width, height)
		canvas.put(frame, x, y)
		return canvas, nil
	}
	return nil, errors.New("an animation without a whole frame")
}

func decodeFrame(data []byte) (*RGB, error) {
	img, err := webp.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return planarWebP(img)
}

// webpOfFrame makes a file of the pixels only. golang.org/x/image/webp knows no animations, and refuses files whose flags
// do not say, or say wrongly, whether there is an alpha channel; libwebp looks for its chunk. The size stands before the
// pixels, so that the library compares the two before it takes memory.
func webpOfFrame(size []byte, chunks []webpChunk) []byte {
	header := webpChunk{"VP8X", append([]byte{0, 0, 0, 0}, size...)}
	pixels := []webpChunk{header}
	for _, c := range chunks {
		switch c.name {
		case "ALPH":
			header.body[0] = webpAlpha
			pixels = append(pixels, c)
		case "VP8 ", "VP8L":
			pixels = append(pixels, c)
		}
	}
	out := []byte("RIFF\x00\x00\x00\x00WEBP")
	for _, c := range pixels {
		out = binary.LittleEndian.AppendUint32(append(out, c.name...), uint32(len(c.body)))
		out = append(append(out, c.body...), make([]byte, len(c.body)%2)...)
	}
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-8))
	return out
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

// put copies a smaller picture to a place within p.
func (p *RGB) put(small *RGB, left, top int) {
	for c := range 3 {
		to, from := p.plane(c), small.plane(c)
		for y := range small.Height {
			copy(to[(top+y)*p.Width+left:], from[y*small.Width:(y+1)*small.Width])
		}
	}
}
