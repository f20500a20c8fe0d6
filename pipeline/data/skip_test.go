package data

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// With Skip, rows that cannot be read are left out and listed with their lines; what is left is the data set without them.
func TestSkippedRows(t *testing.T) {
	good := line("../images/1.png", "which", "one") + line("../images/2.png", "which", "two")
	bad := map[string]string{
		"images/broken.png": "no picture",
		"train/metadata.jsonl": line("../images/broken.png", "which", "x") + line("../images/1.png", "which", "one") + "{\n" +
			line("../images/gone.png", "which", "y") + line("../images/2.png", "which", "two") + line("../images/broken.png", "odd", "z"),
	}
	for _, budget := range []int64{0, 1} {
		root := folder(t, with(bad))
		d, err := Open(Config{Root: root, Size: 2, Skip: true, MemoryBudget: budget})
		require.NoError(t, err)
		var places []string
		for _, s := range d.Skipped {
			rel, err := filepath.Rel(root, s.Place)
			require.NoError(t, err)
			places = append(places, rel)
			assert.NotEmpty(t, s.Reason)
		}
		assert.ElementsMatch(t, []string{"train/metadata.jsonl:3", "train/metadata.jsonl:4", "train/metadata.jsonl:1", "train/metadata.jsonl:6"}, places)
		want, err := Open(Config{Root: folder(t, with(map[string]string{"train/metadata.jsonl": good})), Size: 2, MemoryBudget: budget})
		require.NoError(t, err)
		assert.Equal(t, want.Hash(), d.Hash())
		assert.Empty(t, want.Skipped)
		assert.Equal(t, want.Tokenizer.Words(), d.Tokenizer.Words())
		a, b := make([]uint8, 12), make([]uint8, 12)
		for i := range want.Train.Len() {
			require.NoError(t, want.Train.Pixels(i, a))
			require.NoError(t, d.Train.Pixels(i, b))
			assert.Equal(t, a, b)
			assert.Equal(t, want.Train.Questions(i), d.Train.Questions(i))
		}

		_, err = Open(Config{Root: root, Size: 2, MemoryBudget: budget})
		require.Error(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(root, "test", "metadata.jsonl"), []byte(line("gone.png", "which", "four")), 0o644))
		_, err = Open(Config{Root: root, Size: 2, Skip: true, MemoryBudget: budget})
		require.ErrorContains(t, err, "all rows of this split are at fault")
	}
}

// The row that stands for a split without any is its own, whatever the folders are called.
func TestTheFirstSkippedRow(t *testing.T) {
	root := filepath.Join(t.TempDir(), "test")
	require.NoError(t, os.Rename(folder(t, with(map[string]string{
		"train/metadata.jsonl": line("../images/1.png", "which", "one") + line("gone.png", "which", "two"),
		"test/metadata.jsonl":  "\n" + line("missing.png", "which", "four"),
	})), root))
	_, err := Open(Config{Root: root, Size: 2, Skip: true})
	require.ErrorContains(t, err, "(the first: "+filepath.Join(root, "test", "metadata.jsonl")+":2: there is no picture")
}

// Damage in the middle of a file shows only when all of it is decoded.
func TestSkippedDamage(t *testing.T) {
	files := with(nil)
	damaged := []byte(flat(t, 20))
	damaged[bytes.Index(damaged, []byte("IDAT"))+6] ^= 0xff
	files["images/2.png"] = string(damaged)
	for _, budget := range []int64{0, 1} {
		d, err := Open(Config{Root: folder(t, files), Size: 2, Skip: true, MemoryBudget: budget})
		require.NoError(t, err)
		assert.Equal(t, 1, d.Train.Len())
		require.Len(t, d.Skipped, 1)
		assert.Contains(t, d.Skipped[0].Reason, "broken PNG picture")
	}
}

// A picture that changes or breaks under a run ends it, also with Skip: what is computed would not be that of the hash. Opened
// again, the data set is without it.
func TestPicturesThatChangeUnderARun(t *testing.T) {
	root := folder(t, small())
	cfg := Config{Root: root, Size: 2, Skip: true, MemoryBudget: 1}
	d, err := Open(cfg)
	require.NoError(t, err)
	pixels := make([]uint8, 12)
	require.NoError(t, d.Train.Pixels(1, pixels))
	path := filepath.Join(root, "images", "2.png")

	require.NoError(t, os.WriteFile(path, []byte(flat(t, 21)), 0o644))
	assert.ErrorContains(t, d.Train.Pixels(1, pixels), "train/metadata.jsonl:2: the picture changed while the run used it; start the run again")
	again, err := Open(cfg)
	require.NoError(t, err)
	assert.NoError(t, again.Train.Pixels(1, pixels))
	assert.NotEqual(t, d.Train.Hash(), again.Train.Hash())
	assert.Equal(t, d.Test.Hash(), again.Test.Hash())

	require.NoError(t, os.WriteFile(path, []byte("no picture"), 0o644))
	assert.ErrorContains(t, d.Train.Pixels(1, pixels), "2.png: not a picture")
	without, err := Open(cfg)
	require.NoError(t, err)
	assert.Equal(t, 1, without.Train.Len())
}
