package image

import (
	"bytes"
	"encoding/binary"
	"errors"
	stdimage "image"

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
	if len(chunks) == 0 || chunks[0].name != "VP8X" || len(chunks[0].body) < 10 || chunks[0].body[0]&webpAnimated == 0 {
		img, err := webp.Decode(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		return planarWebP(img)
	}
	head := chunks[0].body
	canvas := New(int(uint24(head[4:]))+1, int(uint24(head[7:]))+1)
	for _, c := range chunks {
		if c.name != "ANMF" {
			continue
		}
		if len(c.body) < 16 {
			return nil, errors.New("its first frame has no header")
		}
		img, err := webp.Decode(bytes.NewReader(webpOfFrame(c.body)))
		if err != nil {
			return nil, err
		}
		frame, err := planarWebP(img)
		if err != nil {
			return nil, err
		}
		at := stdimage.Pt(2*int(uint24(c.body)), 2*int(uint24(c.body[3:])))
		if at.X+frame.Width > canvas.Width || at.Y+frame.Height > canvas.Height {
			return nil, errors.New("its first frame is larger than the picture")
		}
		canvas.put(frame, at)
		return canvas, nil
	}
	return nil, errors.New("an animation without a frame")
}

// webpOfFrame makes a picture of its own of a frame: where it goes, its size, how long it stays, then its chunks.
func webpOfFrame(frame []byte) []byte {
	out := []byte("RIFF\x00\x00\x00\x00WEBP")
	chunks := frame[16:]
	if bytes.HasPrefix(chunks, []byte("ALPH")) { // needs a header that says so
		out = append(out, "VP8X\x0a\x00\x00\x00"...)
		out = append(out, webpAlpha, 0, 0, 0)
		out = append(out, frame[6:12]...)
	}
	out = append(out, chunks...)
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-8))
	return out
}

func uint24(b []byte) uint32 { return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 }

// put copies a smaller picture to a place within p.
func (p *RGB) put(small *RGB, at stdimage.Point) {
	for c := range 3 {
		to, from := p.plane(c), small.plane(c)
		for y := range small.Height {
			copy(to[(at.Y+y)*p.Width+at.X:], from[y*small.Width:(y+1)*small.Width])
		}
	}
}
