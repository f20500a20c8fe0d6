package checkpoint_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever the bytes, the answer is tensors or an error, without a panic and in bounded memory. `go test
// -fuzz=FuzzOpenZip ./torch/checkpoint` goes on from the fixtures.

func fuzz(f *testing.F, wrap func(t *testing.T, content []byte) [][]byte) {
	path := filepath.Join(f.TempDir(), "x")
	f.Fuzz(func(t *testing.T, content []byte) {
		for _, file := range wrap(t, content) {
			// each file is opened twice
			if work := exercise(t, path, file); work > 2*maxWork+200*uint64(len(file)) {
				t.Errorf("%d bytes allocated for a file of %d", work, len(file))
			}
		}
	})
}

func addFixtures(f *testing.F, magic string) {
	files, err := filepath.Glob("testdata/*.pt")
	require.NoError(f, err)
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(f, err)
		if strings.HasPrefix(string(content), magic) {
			f.Add(content)
		}
	}
}

func FuzzOpenPickle(f *testing.F) {
	for _, c := range pickles {
		f.Add([]byte(c.pickle))
	}
	f.Add([]byte(wholeTensor))
	fuzz(f, func(t *testing.T, content []byte) [][]byte {
		return [][]byte{pickled(t, string(content)), legacyStream(string(content), "\x80\x02].")}
	})
}

func FuzzOpenZip(f *testing.F) {
	addFixtures(f, "PK")
	f.Add(pickled(f, wholeTensor))
	fuzz(f, func(_ *testing.T, content []byte) [][]byte { return [][]byte{content} })
}

func FuzzOpenLegacy(f *testing.F) {
	addFixtures(f, "\x80")
	f.Add(legacyStream(wholeTensor, "\x80\x02]X\x01\x00\x00\x000a."))
	fuzz(f, func(_ *testing.T, content []byte) [][]byte { return [][]byte{content} })
}
