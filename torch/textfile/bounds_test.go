package textfile_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/torch/textfile"
)

// A file without end is refused before memory is taken for it. The files have holes: they take no room on the disk.
func TestReadIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokenizer.json")
	require.NoError(t, os.WriteFile(path, []byte("{}"), 0o600))
	require.NoError(t, os.Truncate(path, 64<<20+1))
	_, err := textfile.Read(path)
	assert.EqualError(t, err, path+" has 67108865 bytes, at most 67108864 are read of such a file; is it the right one?")
	require.NoError(t, os.Truncate(path, 1<<30+1))
	_, err = textfile.ReadLong(path)
	assert.ErrorContains(t, err, "at most 1073741824 are read")
}
