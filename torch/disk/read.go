package disk

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Open opens a regular file for reading, through links. Folders, pipes and devices are refused before they are opened,
// because opening a pipe waits for its writer.
func Open(path string) (*os.File, fs.FileInfo, error) {
	info, err := Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if err := regular(path, info); err != nil {
		return nil, nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a pipe may have come in its place since
	if err != nil {
		return nil, nil, err
	}
	if info, err = f.Stat(); err == nil {
		err = regular(path, info)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// Read reads a regular file whole; as Open it waits for no pipe's writer.
func Read(path string) ([]byte, error) {
	f, _, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// Stat is os.Stat, but a link that leads nowhere is another error than a path where nothing is: what is optional may be
// missing, and a link shows that somebody put it there.
func Stat(path string) (fs.FileInfo, error) {
	info, err := os.Stat(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return info, err
	}
	for at, below := path, ""; at != below; at, below = filepath.Dir(at), at {
		link, absent := os.Lstat(at)
		if absent != nil {
			continue
		}
		if _, broken := os.Stat(at); link.Mode()&fs.ModeSymlink != 0 && broken != nil {
			to, _ := os.Readlink(at)
			return nil, failed("open", at, fmt.Errorf("the link leads to %s, which is not there", to))
		}
		break
	}
	return nil, err
}

func regular(path string, info fs.FileInfo) error {
	if info.Mode().IsRegular() {
		return nil
	}
	return &fs.PathError{Op: "open", Path: path, Err: errors.New("it is " + kind(info.Mode()) + ", not a regular file")}
}

// kind is what something on the disk is, in words.
func kind(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	case mode.IsRegular():
		return "a file"
	}
	return "none that can hold data"
}

// Sum is the SHA-256 of a regular file's content, in hex, and its size in bytes.
func Sum(path string) (sum string, size int64, err error) {
	f, _, err := Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	return sumOf(f)
}

func sumOf(f *os.File) (sum string, size int64, err error) {
	h := sha256.New()
	if size, err = io.Copy(h, f); err != nil {
		return "", 0, err
	}
	return hex.EncodeToString(h.Sum(nil)), size, nil
}
