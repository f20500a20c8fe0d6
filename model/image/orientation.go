package image

import (
	"bytes"
	"encoding/binary"
)

// exifOrientation reads tag 0x0112 of a JPEG's EXIF block: 1 (upright) to 8. Anything odd counts as 1, as in PIL:
// a picture is not refused for its notes.
func exifOrientation(data []byte) int {
	for at := 2; at+4 <= len(data) && data[at] == 0xff; {
		marker, size := data[at+1], int(binary.BigEndian.Uint16(data[at+2:]))
		if marker == 0xff { // fill byte
			at++
			continue
		}
		if marker == 0xda || size < 2 || at+2+size > len(data) { // the pixels start: no notes after them
			break
		}
		body := data[at+4 : at+2+size]
		if marker == 0xe1 && bytes.HasPrefix(body, []byte("Exif\x00\x00")) {
			return tiffOrientation(body[6:])
		}
		at += 2 + size
	}
	return 1
}

// tiffOrientation looks through the first directory of a TIFF block.
func tiffOrientation(tiff []byte) int {
	if len(tiff) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(tiff[:2]) {
	case "II":
		order = binary.LittleEndian
	case "MM":
		order = binary.BigEndian
	default:
		return 1
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return 1
	}
	entries := tiff[at+2:]
	for range order.Uint16(tiff[at:]) {
		if len(entries) < 12 {
			break
		}
		const short = 3
		if order.Uint16(entries) == 0x0112 && order.Uint16(entries[2:]) == short {
			if o := int(order.Uint16(entries[8:])); o >= 1 && o <= 8 {
				return o
			}
			break
		}
		entries = entries[12:]
	}
	return 1
}

// oriented turns and mirrors the picture upright. Orientations 5 to 8 swap width and height.
func (p *RGB) oriented(orientation int) *RGB {
	if orientation == 1 {
		return p
	}
	w, h := p.Width, p.Height
	out := New(w, h)
	if orientation >= 5 {
		out = New(h, w)
	}
	for c := range 3 {
		from, to := p.plane(c), out.plane(c)
		for y := range out.Height {
			for x := range out.Width {
				var sx, sy int
				switch orientation {
				case 2: // mirrored
					sx, sy = w-1-x, y
				case 3: // upside down
					sx, sy = w-1-x, h-1-y
				case 4: // upside down and mirrored
					sx, sy = x, h-1-y
				case 5: // transposed
					sx, sy = y, x
				case 6: // wants a quarter turn clockwise
					sx, sy = y, h-1-x
				case 7: // transposed over the other diagonal
					sx, sy = w-1-y, h-1-x
				case 8: // wants a quarter turn counter-clockwise
					sx, sy = w-1-y, x
				}
				to[y*out.Width+x] = from[sy*w+sx]
			}
		}
	}
	return out
}
