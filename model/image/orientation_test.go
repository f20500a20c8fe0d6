package image

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// The turned*.jpg goldens of TestLoadAgreesWithPIL cover well-formed notes; damaged ones must not matter.
func TestOddNotesCountAsUpright(t *testing.T) {
	for _, data := range []string{
		"",
		"\xff\xd8",
		"\xff\xd8\xff\xe1",
		"\xff\xd8\xff\xe1\x00\x01",
		"\xff\xd8\xff\xe1\x00\x08Exif\x00\x00",
		"\xff\xd8\xff\xe1\x00\x10Exif\x00\x00XX\x00\x2a\x00\x00\x00\x08",
		"\xff\xd8\xff\xe1\x00\x10Exif\x00\x00II\x2a\x00\xff\xff\xff\xff",
		"\xff\xd8\xff\xe1\x00\x12Exif\x00\x00II\x2a\x00\x08\x00\x00\x00\x09\x00",
		"\xff\xd8\xff\xda\x00\x02",
	} {
		assert.Equal(t, 1, jpegNotes([]byte(data)).orientation(), "%q", data)
	}
	entry := "\x12\x01\x03\x00\x01\x00\x00\x00"
	note := func(value string) []byte {
		return []byte("\xff\xd8\xff\xff\xe1\x00\x1eExif\x00\x00II\x2a\x00\x08\x00\x00\x00\x01\x00" + entry + value)
	}
	assert.Equal(t, 6, jpegNotes(note("\x06\x00\x00\x00")).orientation(), "after a fill byte")
	assert.Equal(t, 1, jpegNotes(note("\x09\x00\x00\x00")).orientation(), "nine is no orientation")
}
