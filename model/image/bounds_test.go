package image

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"hash/crc32"
	stdimage "image"
	"image/color"
	"image/gif"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// refused checks that Load and Check both refuse a file, in one line that names it.
func refused(t *testing.T, path, want string) {
	t.Helper()
	_, err := Load(path)
	for _, err := range []error{err, Check(path)} {
		require.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, path)
		assert.NotContains(t, err.Error(), "\n")
	}
}

func testdata(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	return data
}

// claim changes the size in a PNG's header.
func claim(data []byte, width, height uint32) []byte {
	data = bytes.Clone(data)
	const header = 8 + 8 // signature, then the chunk's length and type
	binary.BigEndian.PutUint32(data[header:], width)
	binary.BigEndian.PutUint32(data[header+4:], height)
	binary.BigEndian.PutUint32(data[header+13:], crc32.ChecksumIEEE(data[header-4:header+13]))
	return data
}

// A forged header must be refused before memory is taken for it.
func TestAbsurdSizes(t *testing.T) {
	png := testdata(t, "rgb8.png")
	refused(t, write(t, "huge.png", claim(png, 60_000, 60_000)), "60000x60000 pixels, more than the cap")
	refused(t, write(t, "light.png", claim(png, 12_000, 12_000)), "12000x12000 pixels in ")

	var dot bytes.Buffer
	require.NoError(t, gif.Encode(&dot, stdimage.NewPaletted(stdimage.Rect(0, 0, 1, 1), color.Palette{color.Black, color.White}), nil))
	canvas := dot.Bytes()
	binary.LittleEndian.PutUint16(canvas[6:], 13_000)
	binary.LittleEndian.PutUint16(canvas[8:], 13_000)
	refused(t, write(t, "canvas.gif", canvas), "13000x13000 pixels in ")

	k := pngKind
	assert.NoError(t, k.checkSize(4096, 4096, 100), "what is cheap may be as plain as it likes")
	assert.NoError(t, k.checkSize(13_000, 13_000, 13_000*13_000/1032), "the plainest picture that deflate can write")
	assert.Error(t, k.checkSize(1<<40, 1<<40, 1<<40), "the product is beyond 64 bits")
}

func TestFilesOfAnySize(t *testing.T) {
	path := write(t, "long.png", testdata(t, "rgb8.png"))
	require.NoError(t, os.Truncate(path, maxBytes+1))
	refused(t, path, "the file has 536870913 bytes, more than the cap of 536870912")
}

// Each scan of a progressive JPEG is a pass over the whole picture, and needs hardly a byte.
func TestScans(t *testing.T) {
	count := func(data []byte) int { return jpegScans(bufio.NewReader(bytes.NewReader(data))) }
	data := testdata(t, "progressive.jpg")
	last := bytes.LastIndex(data, []byte{0xff, 0xda})
	end := len(data) - 2
	scans := bytes.Count(data, []byte{0xff, 0xda})
	require.Greater(t, scans, 3)
	assert.Equal(t, scans, count(data))
	assert.Zero(t, count(testdata(t, "jpeg420.jpg")), "a baseline picture pays for its scans")

	repeated := func(n int) []byte {
		out := bytes.Clone(data[:end])
		return append(append(out, bytes.Repeat(data[last:end], n-scans)...), data[end:]...)
	}
	assert.Equal(t, maxScans, count(repeated(maxScans)))
	many := repeated(20_000)
	refused(t, write(t, "scans.jpg", many), "JPEG with more than 100 scans is not read by this program; convert the picture to PNG")
	hidden := append(append(bytes.Clone(many[:last]), bytes.Repeat([]byte{0xff, 0, 0xff, 0xff, 0xd0, 7}, 3000)...), many[last:]...)
	assert.Greater(t, count(hidden), maxScans, "behind bytes that are no markers")
}

// Only regular files are opened: a pipe would wait for its writer, and a device has no end.
func TestNoFiles(t *testing.T) {
	folder := t.TempDir()
	at := func(name string) string { return filepath.Join(folder, name) }
	require.NoError(t, unix.Mkfifo(at("pipe.png"), 0o600))
	refused(t, at("pipe.png"), "it is a pipe, not a regular file")
	refused(t, folder, "it is a folder, not a regular file")
	refused(t, "/dev/zero", "it is a device, not a regular file")
	socket, err := net.Listen("unix", at("s.png"))
	require.NoError(t, err)
	defer socket.Close()
	refused(t, at("s.png"), "it is a socket, not a regular file")
	require.NoError(t, os.Symlink("nowhere", at("link.png")))
	refused(t, at("link.png"), "the link leads to nowhere, which is not there")

	require.NoError(t, os.WriteFile(at("it.png"), testdata(t, "rgb8.png"), 0o600))
	require.NoError(t, os.Symlink("it.png", at("good.png")))
	assert.NoError(t, Check(at("good.png")))
	_, err = Load(at("good.png"))
	assert.NoError(t, err)
}

// However many goroutines decode, memory holds one picture of the greatest size, or smaller ones up to that.
func TestLargePicturesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data := testdata(t, "rgb8.png")
		large := reserve(MaxPixels)
		var decoded atomic.Bool
		go func() {
			_, err := Decode(data)
			assert.NoError(t, err)
			decoded.Store(true)
		}()
		synctest.Wait()
		assert.False(t, decoded.Load())
		large()
		synctest.Wait()
		assert.True(t, decoded.Load())
	})
}
