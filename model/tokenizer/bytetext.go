package tokenizer

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// byteText joins tokens of visible bytes (see [byteRunes]). A token with any other character, such as an added
// one, stands for itself. Bytes that are not UTF-8 read as U+FFFD.
func byteText(tokens []string) []string {
	var out []byte
	for _, t := range tokens {
		before := len(out)
		for _, r := range t {
			b, ok := runeBytes[r]
			if !ok {
				out = append(out[:before], t...)
				break
			}
			out = append(out, b)
		}
	}
	return []string{validText(out)}
}

// validText replaces what is not UTF-8 as Rust does: one U+FFFD for each longest part that could have begun a
// character. Go's own functions give one for each byte, or one for all in a row.
func validText(data []byte) string {
	if utf8.Valid(data) {
		return string(data)
	}
	var out strings.Builder
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		if r == utf8.RuneError && size == 1 {
			for size < min(len(data), utf8.UTFMax) && begins(data[:size+1]) {
				size++
			}
		}
		out.WriteRune(r)
		data = data[size:]
	}
	return out.String()
}

// begins says whether the bytes begin a character that is not complete. The first two bytes decide about
// overlong forms and surrogates, which filling up with either bound of the rest shows.
func begins(part []byte) bool {
	for _, fill := range []string{"\x80\x80\x80", "\xBF\xBF\xBF"} {
		for n := 1; n <= utf8.UTFMax-len(part); n++ {
			if utf8.Valid(append(part[:len(part):len(part)], fill[:n]...)) {
				return true
			}
		}
	}
	return false
}

// bytesBack joins tokens such as <0xE2> to text. A row of them that is not UTF-8 reads as one U+FFFD a token.
func bytesBack(tokens []string) []string {
	var out []string
	var row []byte
	flush := func() {
		if utf8.Valid(row) {
			if len(row) > 0 {
				out = append(out, string(row))
			}
		} else {
			for range row {
				out = append(out, string(utf8.RuneError))
			}
		}
		row = nil
	}
	for _, t := range tokens {
		if b, ok := byteToken(t); ok {
			row = append(row, b)
			continue
		}
		flush()
		out = append(out, t)
	}
	flush()
	return out
}

// byteToken reads <0xE2>.
func byteToken(t string) (byte, bool) {
	if len(t) != 6 || !strings.HasPrefix(t, "<0x") || t[5] != '>' {
		return 0, false
	}
	// Rust takes a sign before the digit: <0x+A> is 10 there.
	b, err := strconv.ParseUint(strings.TrimPrefix(t[3:5], "+"), 16, 8)
	return byte(b), err == nil
}
