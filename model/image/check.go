package image

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"espalier/torch/disk"
)

// jpegTail is how far from its end a JPEG's end marker is looked for: cameras append private data after it.
const jpegTail = 64 << 10

// Check finds out whether Load would succeed, at the cost of two small reads, or of the whole file of a TIFF or a progressive
// JPEG: it parses the header and looks for the end of the picture, since a file that was cut short is by far the commonest
// fault. Where the end is not where it should be, the whole picture is decoded, so that nothing readable is refused. Damage
// in the middle of a whole file passes.
func Check(path string) error {
	f, info, err := disk.Open(path)
	if err != nil {
		return fmt.Errorf("image: cannot read: %w", err)
	}
	defer f.Close()
	if err := CheckAt(f, info.Size()); err != nil {
		return fmt.Errorf("image: %s: %w", path, err)
	}
	return nil
}

// CheckAt is Check for a picture of so many bytes that is part of something larger. Errors do not name it.
func CheckAt(f io.ReaderAt, size int64) error {
	head := make([]byte, sniffLen)
	n, err := f.ReadAt(head[:min(size, sniffLen)], 0)
	if err != nil && err != io.EOF {
		return fmt.Errorf("cannot read: %w", err)
	}
	k, err := kindOf(head[:n])
	if err != nil {
		return err
	}
	if err := checkBytes(size); err != nil {
		return err
	}
	if _, err := k.checkHeader(io.NewSectionReader(f, 0, size), size); err != nil {
		return err
	}
	if whole(k, f, size, head) {
		return nil
	}
	data, err := ReadAt(f, size)
	if err != nil {
		return err
	}
	_, err = Decode(data)
	return err
}

// whole says whether the file ends as its format ends.
func whole(k *kind, f io.ReaderAt, size int64, head []byte) bool {
	switch k {
	case pngKind:
		return bytes.HasSuffix(tail(f, size, 12), []byte("\x00\x00\x00\x00IEND\xaeB`\x82"))
	case jpegKind:
		return bytes.Contains(tail(f, size, jpegTail), []byte{0xff, 0xd9})
	case gifKind:
		return bytes.HasSuffix(tail(f, size, 2), []byte("\x00;"))
	case webpKind: // the header has the length
		return int64(binary.LittleEndian.Uint32(head[4:]))+8 <= size
	case bmpKind:
		length := int64(binary.LittleEndian.Uint32(head[2:]))
		return length > 0 && length <= size
	default: // the parts of a TIFF can stand anywhere
		return false
	}
}

func tail(f io.ReaderAt, size, n int64) []byte {
	data := make([]byte, min(n, size))
	if _, err := f.ReadAt(data, size-int64(len(data))); err != nil {
		return nil // not whole, so that Load tells the reason
	}
	return data
}
