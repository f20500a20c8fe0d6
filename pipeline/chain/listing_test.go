package chain_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/chain"
)

// The shared folder stays under its limit; what was used last stays longest, and what a run holds stays.
func TestTheLimit(t *testing.T) {
	f, k := newFolders(t), &counted{}
	big := func(c *chain.Chain, text string) chain.Kept[int] {
		out, err := chain.Do(context.Background(), c, at(text), k.write(), input{Text: text, Times: 100_000})
		require.NoError(t, err)
		past := time.Now().Add(-time.Hour * time.Duration(10-len(text)))
		require.NoError(t, os.Chtimes(filepath.Join(f.shared, ".locks", filepath.Base(out.Folder)), past, past))
		return out
	}
	var a, b, c3 chain.Kept[int]
	f.with(t, nil, func(c *chain.Chain) { a, b = big(c, "a"), big(c, "bb") })
	holder := folders{filepath.Join(t.TempDir(), "holder"), f.shared}
	holder.with(t, nil, func(c *chain.Chain) {
		big(c, "a")
		f.with(t, func(o *chain.Options) { o.Limit = 450_000 }, func(c *chain.Chain) { c3 = big(c, "ccc") })
	})
	assert.DirExists(t, a.Folder, "a run holds it")
	assert.NoDirExists(t, b.Folder)
	assert.DirExists(t, c3.Folder)
	removed, err := chain.Remove(f.shared, filepath.Base(a.Folder)[:12])
	require.NoError(t, err)
	assert.Equal(t, a.Folder, removed.Folder)
	assert.NoDirExists(t, a.Folder)
	_, err = chain.Remove(f.shared, "nothing")
	assert.ErrorContains(t, err, "no kept result")
}

// The own results of a run are found wherever its folder was moved, and also beside a new run that has its old place.
func TestResultsOfAMovedRun(t *testing.T) {
	t.Chdir(t.TempDir())
	f, k := folders{run: "x"}, &counted{}
	do := func(c *chain.Chain) {
		_, err := chain.Do(context.Background(), c, at("a"), k.write(), input{Text: "x", Times: 3})
		require.NoError(t, err)
	}
	f.with(t, nil, do)
	require.NoError(t, os.Rename("x", "y"))
	f.with(t, nil, do)
	moved, err := filepath.Abs("y")
	require.NoError(t, err)
	t.Chdir(t.TempDir())
	list, err := chain.List(moved)
	require.NoError(t, err)
	require.Len(t, list, 1)
	assert.Equal(t, filepath.Join(moved, "kept", list[0].ID), list[0].Folder)
	var value int
	require.NoError(t, chain.RecordOf(moved)[0].Value(&value))
	assert.Equal(t, 3, value)

	t.Chdir(filepath.Dir(moved))
	_, err = chain.Remove("y", list[0].ID)
	require.NoError(t, err)
	assert.NoDirExists(t, list[0].Folder)
	assert.DirExists(t, filepath.Join("x", "kept", list[0].ID))
}
