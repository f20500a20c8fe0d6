package chain_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/chain"
	"espalier/torch/disk"
)

// A changed or missing byte in any file of a result is found; the result is named and computed again.
func TestDamageIsFound(t *testing.T) {
	f, k := newFolders(t), &counted{}
	in := input{Text: "some text", Times: 2}
	do := func() (notes string, out chain.Kept[int]) {
		notes = f.with(t, nil, func(c *chain.Chain) {
			var err error
			out, err = chain.Do(context.Background(), c, at("a"), k.write(), in)
			require.NoError(t, err)
		})
		return notes, out
	}
	_, first := do()
	for _, name := range []string{"text", "result.json", "SUMS"} {
		path := filepath.Join(first.Folder, name)
		whole, err := os.ReadFile(path)
		require.NoError(t, err)
		damage := [][]byte{whole[:len(whole)/2], {}, append(whole[:len(whole):len(whole)], '\n')}
		for i := 0; i < len(whole); i += 1 + len(whole)/40 {
			flipped := append([]byte{}, whole...)
			flipped[i] ^= 1
			damage = append(damage, flipped)
		}
		for i, bytes := range damage {
			require.NoError(t, os.WriteFile(path, bytes, 0o644))
			calls := k.calls
			notes, out := do()
			require.Equal(t, calls+1, k.calls, "%s, damage %d", name, i)
			assert.Contains(t, notes, first.Folder, "%s, damage %d", name, i)
			assert.Equal(t, first.Content, out.Content)
		}
	}
	require.NoError(t, os.Remove(filepath.Join(first.Folder, "text")))
	notes, _ := do()
	assert.Contains(t, notes, filepath.Join(first.Folder, "text"))
	require.NoError(t, os.WriteFile(filepath.Join(first.Folder, "more"), nil, 0o644))
	notes, _ = do()
	assert.Contains(t, notes, "more is not one of the files")
	_, last := do()
	assert.True(t, last.Reused)
}

func TestCopiesAreRepaired(t *testing.T) {
	f := newFolders(t)
	fills := 0
	copyOf := func(of chain.Print, text string) {
		f.with(t, nil, func(c *chain.Chain) {
			require.NoError(t, c.Copy("student", of, func(folder string) error {
				fills++
				return disk.Write(filepath.Join(folder, "weights"), []byte(text))
			}))
		})
		got, err := os.ReadFile(filepath.Join(f.run, "student", "weights"))
		require.NoError(t, err)
		assert.Equal(t, text, string(got))
	}
	copyOf("1", "one")
	copyOf("1", "one")
	assert.Equal(t, 1, fills)
	copyOf("2", "two")
	require.NoError(t, os.WriteFile(filepath.Join(f.run, "student", "weights"), []byte("twO"), 0o644))
	copyOf("2", "two")
	require.NoError(t, os.WriteFile(filepath.Join(f.run, "student", "more"), nil, 0o644))
	copyOf("2", "two")
	assert.Equal(t, 4, fills)
	assert.NoFileExists(t, filepath.Join(f.run, "student", "more"))
}
