package rows

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"espalier/model/image"
	"espalier/torch/disk"
)

// File is a picture in a file of its own.
type File string

func (f File) String() string { return string(f) }

// Read reads the file.
func (f File) Read() ([]byte, error) { return image.ReadFile(string(f)) }

// Check looks at the file's header and its end.
func (f File) Check() error { return image.Check(string(f)) }

// Sum asks for the file's sum.
func (f File) Sum(of Sums) (string, error) {
	info, err := disk.Stat(string(f))
	switch {
	case errors.Is(err, fs.ErrNotExist) && strings.Contains(string(f), `\`):
		return "", fmt.Errorf(`there is no picture %s; write / between folders, not \`, f)
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("there is no picture %s; file_name is relative to the folder of this file", f)
	case err != nil:
		return "", fmt.Errorf("the picture cannot be read: %w", err)
	case info.IsDir():
		return "", fmt.Errorf("%s is a folder; file_name names a picture", f)
	}
	sum, err := of(string(f))
	if err != nil {
		return "", fmt.Errorf("the picture cannot be read: %w", err)
	}
	return sum, nil
}

// sumOf is the sum of a picture that is part of a file.
func sumOf(p Picture) (string, error) {
	data, err := p.Read()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// checkBytes looks at a picture that is in memory.
func checkBytes(p Picture) error {
	data, err := p.Read()
	if err != nil {
		return err
	}
	if err := image.CheckAt(bytes.NewReader(data), int64(len(data))); err != nil {
		return fmt.Errorf("%s: %w", p, err)
	}
	return nil
}
