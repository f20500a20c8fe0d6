package image

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"io"
	"strings"
)

// pngFile is what image/png does not tell.
type pngFile struct {
	depth, colour byte
	clear         []byte // tRNS
	exif          []byte
	texts         map[string]pngText
}

// pngText is a text of a name.
type pngText struct {
	body       []byte
	compressed bool
}

// readPNG walks through the chunks of a picture that image/png has read, to its end.
func readPNG(data []byte) *pngFile {
	f := &pngFile{texts: map[string]pngText{}}
	for at := 8; at+12 <= len(data); {
		size := int64(binary.BigEndian.Uint32(data[at:]))
		if int64(at)+12+size > int64(len(data)) {
			break
		}
		body := data[at+8 : at+8+int(size)]
		switch string(data[at+4 : at+8]) {
		case "IHDR":
			f.depth, f.colour = body[8], body[9]
		case "tRNS":
			f.clear = body
		case "eXIf":
			f.exif = body
		case "tEXt":
			name, text, _ := bytes.Cut(body, []byte{0})
			f.texts[string(name)] = pngText{text, false}
		case "zTXt": // the first byte is the method, of which there is one
			if name, text, _ := bytes.Cut(body, []byte{0}); len(text) > 0 {
				f.texts[string(name)] = pngText{text[1:], true}
			}
		case "iTXt":
			f.internationalText(body)
		case "IEND":
			return f
		}
		at += 12 + int(size)
	}
	return f
}

// internationalText is name, whether and how it is compressed, language, translated name, text.
func (f *pngFile) internationalText(body []byte) {
	name, rest, _ := bytes.Cut(body, []byte{0})
	if len(rest) < 2 {
		return
	}
	if parts := bytes.SplitN(rest[2:], []byte{0}, 3); len(parts) == 3 {
		f.texts[string(name)] = pngText{parts[2], rest[0] != 0}
	}
}

func pngNotes(data []byte) notes {
	f := readPNG(data)
	n := notes{exif: f.exif, xmp: f.texts["XML:com.adobe.xmp"].plain()}
	if n.exif == nil {
		n.exif = f.texts["exif"].plain()
	}
	if n.exif == nil {
		n.exif = rawProfile(f.texts["Raw profile type exif"].plain())
	}
	return n
}

// plain unpacks up to a mebibyte, PIL's own bound; what is broken is no text.
func (t pngText) plain() []byte {
	if !t.compressed {
		return t.body
	}
	r, err := zlib.NewReader(bytes.NewReader(t.body))
	if err != nil {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil {
		return nil
	}
	return text
}

// rawProfile reads ImageMagick's form of EXIF: an empty line, the name, the length, then hexadecimal digits.
func rawProfile(text []byte) []byte {
	lines := strings.SplitN(string(text), "\n", 4)
	if len(lines) < 4 {
		return nil
	}
	exif, err := hex.DecodeString(strings.Join(strings.Fields(lines[3]), ""))
	if err != nil {
		return nil
	}
	return exif
}
