package image

import (
	"bytes"
	"math"
	"regexp"
)

// notes are what a file says about its picture beside the pixels.
type notes struct {
	exif []byte // a TIFF block, with or without "Exif\0\0" before it
	xmp  []byte
}

func noNotes([]byte) notes { return notes{} }

var xmpOrientation = regexp.MustCompile(`tiff:Orientation(?:="|>)([0-9])`)

// orientation is 1 (upright) to 8. As in PIL's Image.getexif, XMP is asked only where EXIF has no such tag, and not where it
// cannot be read. Anything odd counts as 1: a picture is not refused for its notes.
func (n notes) orientation() int {
	exif := withoutExifPrefix(n.exif)
	if order, _ := tiffHeader(exif); order == nil && len(exif) > 0 {
		return 1
	}
	var o float64
	if tag, there := tiffTags(exif)[tiffOrientation]; there {
		o = tag.number()
	} else if found := xmpOrientation.FindSubmatch(n.xmp); found != nil {
		o = float64(found[1][0] - '0')
	}
	if o >= 1 && o <= 8 && o == math.Trunc(o) {
		return int(o)
	}
	return 1
}

const exifPrefix = "Exif\x00\x00"

// withoutExifPrefix drops what JPEG writes before the block, which some programs write twice.
func withoutExifPrefix(exif []byte) []byte {
	for range 2 {
		exif = bytes.TrimPrefix(exif, []byte(exifPrefix))
	}
	return exif
}
