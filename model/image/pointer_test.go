package image

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// Where git has not fetched a picture, its pointer is named.
func TestPointerOfGitLFS(t *testing.T) {
	path := write(t, "a.png", []byte("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"))
	_, err := Load(path)
	for _, err := range []error{err, Check(path)} {
		assert.EqualError(t, err, "image: "+path+": it is a Git LFS pointer, not the file: run git lfs pull")
	}
}
