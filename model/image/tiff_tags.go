package image

import (
	"encoding/binary"
	"math"
)

// The tags of a TIFF's directory that are read here. EXIF is a TIFF without a picture.
const (
	tiffBits         = 258
	tiffCompression  = 259
	tiffPhotometric  = 262
	tiffFillOrder    = 266
	tiffOrientation  = 274
	tiffPlanes       = 284
	tiffPredictor    = 317
	tiffExtraSamples = 338
	tiffSampleFormat = 339
	tiffXMP          = 700
)

// tiffValue is a line of the directory.
type tiffValue struct {
	order binary.ByteOrder
	raw   []byte // tag, type, count, and the values or their place
	data  []byte // the values
}

const tiffLine = 12 // bytes

// tiffDirectory are the lines by tag.
type tiffDirectory map[uint16]tiffValue

// tiffTags reads the first directory of a TIFF block, wherever it stands. Like Pillow 12 it takes the last of several lines for
// a tag, passes over types that it does not know, and stops at the first value that lies outside of the block.
func tiffTags(block []byte) tiffDirectory {
	tags := tiffDirectory{}
	order, at := tiffHeader(block)
	if order == nil || at+2 > int64(len(block)) {
		return tags
	}
	lines := block[at+2:]
	for range order.Uint16(block[at:]) {
		if len(lines) < tiffLine {
			break
		}
		v := tiffValue{order: order, raw: lines[:tiffLine]}
		lines = lines[tiffLine:]
		if !v.read(block) {
			break
		}
		if len(v.data) > 0 {
			tags[order.Uint16(v.raw)] = v
		}
	}
	return tags
}

// tiffHeader gives the byte order, nil where there is none, and where the first directory starts.
func tiffHeader(block []byte) (binary.ByteOrder, int64) {
	if len(block) < 8 {
		return nil, 0
	}
	switch string(block[:4]) {
	case "II*\x00", "II\x00*": // the second is wrong, and read by PIL
		return binary.LittleEndian, int64(binary.LittleEndian.Uint32(block[4:]))
	case "MM\x00*", "MM*\x00":
		return binary.BigEndian, int64(binary.BigEndian.Uint32(block[4:]))
	}
	return nil, 0
}

// tiffSizes are the bytes of a value of each type, zero for none.
var tiffSizes = [...]uint64{1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}

func (v *tiffValue) kind() int { return int(v.order.Uint16(v.raw[2:])) }

// read finds the values, none for an unknown type; it is false where they lie outside of the block.
func (v *tiffValue) read(block []byte) bool {
	if v.kind() >= len(tiffSizes) {
		return true
	}
	size := tiffSizes[v.kind()] * uint64(v.order.Uint32(v.raw[4:]))
	if size <= 4 {
		v.data = v.raw[8 : 8+size]
		return true
	}
	at := uint64(v.order.Uint32(v.raw[8:]))
	if at+size > uint64(len(block)) {
		return false
	}
	v.data = block[at : at+size]
	return true
}

// number is the first value, NaN where the type holds no numbers: PIL takes bytes for a text.
func (v tiffValue) number() float64 {
	d, o := v.data, v.order
	switch v.kind() {
	case 3:
		return float64(o.Uint16(d))
	case 4, 13:
		return float64(o.Uint32(d))
	case 5:
		return float64(o.Uint32(d)) / float64(o.Uint32(d[4:]))
	case 6:
		return float64(int8(d[0]))
	case 8:
		return float64(int16(o.Uint16(d)))
	case 9:
		return float64(int32(o.Uint32(d)))
	case 10:
		return float64(int32(o.Uint32(d))) / float64(int32(o.Uint32(d[4:])))
	case 11:
		return float64(math.Float32frombits(o.Uint32(d)))
	case 12:
		return math.Float64frombits(o.Uint64(d))
	case 16:
		return float64(o.Uint64(d))
	}
	return math.NaN()
}

// ints are all values of a type that an ordinary tag has.
func (v tiffValue) ints() (all []int) {
	if v.order == nil {
		return nil
	}
	for d := v.data; len(d) > 0; {
		switch v.kind() {
		case 1:
			all, d = append(all, int(d[0])), d[1:]
		case 3:
			all, d = append(all, int(v.order.Uint16(d))), d[2:]
		case 4:
			all, d = append(all, int(v.order.Uint32(d))), d[4:]
		default:
			return nil
		}
	}
	return all
}

// int is the first value of a tag.
func (d tiffDirectory) int(tag uint16, otherwise int) int {
	if all := d[tag].ints(); len(all) > 0 {
		return all[0]
	}
	return otherwise
}
