package data

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func hashOf(t *testing.T, cfg Config) string {
	t.Helper()
	d, err := Open(cfg)
	require.NoError(t, err)
	assert.Len(t, d.Hash(), 64)
	return d.Hash()
}

func TestHashOfFolder(t *testing.T) {
	base := hashOf(t, Config{Root: folder(t, small()), Size: 2})
	assert.Equal(t, base, hashOf(t, Config{Root: folder(t, small()), Size: 2}), "the place does not count")
	for name, changes := range map[string]map[string]string{
		"picture":  {"images/2.png": "#21"},
		"question": {"test/metadata.jsonl": line("4.png", "what", "four")},
		"answer":   {"test/metadata.jsonl": line("4.png", "which", "for")},
		"order":    {"train/metadata.jsonl": line("../images/2.png", "which", "two") + line("../images/1.png", "which", "one") + line("../images/1.png", "odd", "yes")},
		"grouping": {"train/metadata.jsonl": line("../images/1.png", "which", "one") + line("../images/2.png", "which", "two") + line("../images/2.png", "odd", "yes")},
	} {
		assert.NotEqual(t, base, hashOf(t, Config{Root: folder(t, with(changes)), Size: 2}), name)
	}
	root := folder(t, small())
	assert.NotEqual(t, base, hashOf(t, Config{Root: root, Size: 3}))
	assert.NotEqual(t, base, hashOf(t, Config{Root: root, Size: 2, Train: 1}))
}

// The bytes of the pictures count, not the times of their files, and it does not matter whether they fit into memory.
func TestHashBeyondTheBudget(t *testing.T) {
	cfg := Config{Root: folder(t, small()), Size: 2, MemoryBudget: 1}
	base := hashOf(t, cfg)
	require.NoError(t, os.Chtimes(filepath.Join(cfg.Root, "images/1.png"), time.Unix(1, 0), time.Unix(1, 0)))
	assert.Equal(t, base, hashOf(t, cfg))
	assert.Equal(t, base, hashOf(t, Config{Root: cfg.Root, Size: 2}))
	assert.NotEqual(t, base, hashOf(t, Config{Root: folder(t, with(map[string]string{"images/1.png": "#21"})), Size: 2, MemoryBudget: 1}))
}

// A split's hash does not see the other splits.
func TestHashOfASplit(t *testing.T) {
	open := func(root string) *Dataset {
		d, err := Open(Config{Root: root, Size: 2})
		require.NoError(t, err)
		return d
	}
	a, b := open(folder(t, small())), open(folder(t, with(map[string]string{"test/metadata.jsonl": line("4.png", "which", "for")})))
	assert.Equal(t, a.Train.Hash(), b.Train.Hash())
	assert.NotEqual(t, a.Test.Hash(), b.Test.Hash())
	assert.NotEqual(t, a.Hash(), b.Hash())
}

func TestHashOfAds(t *testing.T) {
	cfg := Config{Source: "ads", Train: 5, Validation: 1, Test: 1, OOD: 1}
	base := hashOf(t, cfg)
	assert.Equal(t, base, hashOf(t, cfg))
	cfg.MemoryBudget = 1
	assert.Equal(t, base, hashOf(t, cfg), "how the pictures are kept does not count")
	cfg.Train = 6
	assert.NotEqual(t, base, hashOf(t, cfg))
}
