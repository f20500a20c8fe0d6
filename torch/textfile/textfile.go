// Package textfile reads the text files that stand beside weights and data: JSON, TOML, lines of JSON.
package textfile

import (
	"bytes"
	"fmt"
	"io"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"espalier/torch/disk"
)

// The most bytes that are read of a file. The largest tokenizer.json in use have about 35 MB.
const (
	most     = 64 << 20
	mostLong = 1 << 30
)

// Read reads a text file as UTF-8. Editors on Windows begin files with a byte-order mark, which no JSON may have, and
// PowerShell writes UTF-16: both become plain UTF-8. Line ends stay as they are. Git LFS's pointers are refused,
// and so is what is no regular file, because reading a pipe waits for its writer, and what has more than 64 MiB.
func Read(path string) ([]byte, error) { return read(path, most) }

// ReadLong is Read for a list that grows with the data; it may have 1 GiB.
func ReadLong(path string) ([]byte, error) { return read(path, mostLong) }

func read(path string, most int64) ([]byte, error) {
	f, info, err := disk.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info.Size() > most {
		return nil, fmt.Errorf("%s has %d bytes, at most %d are read of such a file; is it the right one?", path, info.Size(), most)
	}
	data, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return nil, err
	}
	if IsPointer(data) {
		return nil, fmt.Errorf("%s %s", path, Pointer)
	}
	if data, err = Plain(data); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return data, nil
}

// Plain is text as UTF-8 without a byte-order mark: UTF-16 is known by its mark.
func Plain(data []byte) ([]byte, error) {
	for _, mark := range []string{"\xef\xbb\xbf", "\xff\xfe", "\xfe\xff"} {
		if bytes.HasPrefix(data, []byte(mark)) {
			out, _, err := transform.Bytes(unicode.BOMOverride(transform.Nop), data)
			return out, err
		}
	}
	return data, nil
}

// Pointer, behind its name, says what stands in place of a file that git has not fetched, and what to do.
const Pointer = "is a Git LFS pointer, not the file: run git lfs pull"

// IsPointer tells whether a file that begins so is a pointer of Git LFS. The first twelve bytes are enough.
func IsPointer(head []byte) bool {
	const magic = "version https://git-lfs.github.com/spec/"
	n := min(len(head), len(magic))
	return n >= 12 && string(head[:n]) == magic[:n]
}
