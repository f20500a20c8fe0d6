package textfile_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"espalier/torch/textfile"
)

func TestRead(t *testing.T) {
	for name, c := range map[string]struct{ file, want string }{
		"plain":                {"{\"ü\": 1}\n", "{\"ü\": 1}\n"},
		"empty":                {"", ""},
		"a mark":               {"\xef\xbb\xbf{\"ü\": 1}", "{\"ü\": 1}"},
		"a mark alone":         {"\xef\xbb\xbf", ""},
		"a mark within":        {"a\xef\xbb\xbfb", "a\xef\xbb\xbfb"},
		"Windows' line ends":   {"\xef\xbb\xbfa = 1\r\nb = 2\r\n", "a = 1\r\nb = 2\r\n"},
		"UTF-16, little":       {"\xff\xfe{\x00\xfc\x00}\x00", "{ü}"},
		"UTF-16, big":          {"\xfe\xff\x00{\x00\xfc\x00}", "{ü}"},
		"no UTF-8, no mark":    {"\xfcber", "\xfcber"}, // for the parser to refuse
		"begins like a number": {"version 12", "version 12"},
	} {
		path := filepath.Join(t.TempDir(), "f.json")
		require.NoError(t, os.WriteFile(path, []byte(c.file), 0o600))
		got, err := textfile.Read(path)
		require.NoError(t, err, name)
		assert.Equal(t, c.want, string(got), name)
	}
	_, err := textfile.Read(filepath.Join(t.TempDir(), "nowhere"))
	assert.ErrorIs(t, err, fs.ErrNotExist)
}

func TestPointers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokenizer.json")
	pointer := "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
	require.NoError(t, os.WriteFile(path, []byte(pointer), 0o600))
	_, err := textfile.Read(path)
	assert.EqualError(t, err, path+" is a Git LFS pointer, not the file: run git lfs pull")
	assert.True(t, textfile.IsPointer([]byte(pointer[:12])))
	assert.False(t, textfile.IsPointer([]byte("version http://example.org")))
	assert.False(t, textfile.IsPointer([]byte("version")))
}

// Reading a pipe would wait for its writer for ever.
func TestOnlyRegularFiles(t *testing.T) {
	folder := t.TempDir()
	pipe, link, file := filepath.Join(folder, "pipe"), filepath.Join(folder, "link"), filepath.Join(folder, "file")
	require.NoError(t, unix.Mkfifo(pipe, 0o600))
	for path, want := range map[string]string{pipe: "it is a pipe", folder: "it is a folder", "/dev/zero": "it is a device"} {
		_, err := textfile.Read(path)
		assert.ErrorContains(t, err, path+": "+want)
	}
	require.NoError(t, os.Symlink("file", link))
	_, err := textfile.Read(link)
	require.ErrorContains(t, err, link+": the link leads to file, which is not there")
	require.NoError(t, os.WriteFile(file, []byte("x"), 0o600))
	got, err := textfile.Read(link)
	require.NoError(t, err)
	assert.Equal(t, "x", string(got))
}
