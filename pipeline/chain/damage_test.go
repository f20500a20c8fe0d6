package chain_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

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

// texts are those of all files in a folder.
func texts(t *testing.T, folder string) map[string]string {
	t.Helper()
	got := map[string]string{}
	require.NoError(t, filepath.WalkDir(folder, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		got[strings.TrimPrefix(path, folder+"/")] = string(text)
		return err
	}))
	return got
}

// A copy is mended where it is not as it was written. What people add to it stays, and so does the card that they edited.
func TestCopiesAreRepaired(t *testing.T) {
	f := newFolders(t)
	folder := filepath.Join(f.run, "student")
	fills := 0
	copyOf := func(of chain.Print, card string, names ...string) (notes string) {
		return f.with(t, nil, func(c *chain.Chain) {
			require.NoError(t, c.Copy("student", of, "README.md", func(folder string) error {
				fills++
				err := disk.Write(filepath.Join(folder, "README.md"), []byte(card))
				for _, name := range names {
					err = errors.Join(err, disk.Write(filepath.Join(folder, name), []byte("of "+string(of))))
				}
				return err
			}))
		})
	}
	edit := func(name, text string) {
		path := filepath.Join(folder, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	check := func(filled int, want map[string]string) {
		t.Helper()
		assert.Equal(t, filled, fills)
		assert.Equal(t, want, texts(t, folder))
	}
	copyOf("1", "card", "weights", "words/list")
	assert.Empty(t, copyOf("1", "card", "weights", "words/list"))
	check(1, map[string]string{"README.md": "card", "weights": "of 1", "words/list": "of 1"})
	assert.Empty(t, copyOf("2", "card 2", "weights", "script"))
	check(2, map[string]string{"README.md": "card 2", "weights": "of 2", "script": "of 2"})

	edit("README.md", "mine")
	edit("LICENSE", "free")
	edit(".git/config", "git")
	require.NoError(t, os.Mkdir(filepath.Join(folder, ".git", "refs"), 0o755))
	require.NoError(t, os.Symlink("LICENSE", filepath.Join(folder, "COPYING")))
	assert.Empty(t, copyOf("2", "card 2", "weights", "script"))
	mine := map[string]string{"README.md": "mine", "LICENSE": "free", "COPYING": "free", ".git/config": "git", "weights": "of 2", "script": "of 2"}
	check(2, mine)
	edit("weights", "0f 2")
	require.NoError(t, os.Remove(filepath.Join(folder, "script")))
	notes := copyOf("2", "card 2", "weights", "script")
	assert.Contains(t, notes, folder+": not as the run wrote it, and written again: script, weights")
	assert.Contains(t, notes, folder+"/README.md was edited, and stays")
	check(3, mine)
	assert.DirExists(t, filepath.Join(folder, ".git", "refs"))
	link, err := os.Readlink(filepath.Join(folder, "COPYING"))
	require.NoError(t, err)
	assert.Equal(t, "LICENSE", link)

	copyOf("3", "card 3", "weights") // another result: what only the run wrote goes
	delete(mine, "script")
	mine["weights"] = "of 3"
	check(4, mine)
	require.NoError(t, os.Remove(filepath.Join(folder, "README.md")))
	copyOf("3", "card 3", "weights")
	mine["README.md"] = "card 3"
	check(5, mine)
	require.NoError(t, os.RemoveAll(folder))
	assert.Empty(t, copyOf("3", "card 3", "weights"))
	check(6, map[string]string{"README.md": "card 3", "weights": "of 3"})
}

// Of a folder that the record does not know nobody can say whose its files are: it is moved aside whole. One that is as it would be written is left, as
// where a run was killed before it could note its copy.
func TestAFolderThatTheRecordDoesNotKnow(t *testing.T) {
	f := newFolders(t)
	record, folder := filepath.Join(f.run, "chain.json"), filepath.Join(f.run, "student")
	copyOf := func(of chain.Print, names ...string) (notes string) {
		return f.with(t, nil, func(c *chain.Chain) {
			require.NoError(t, c.Copy("student", of, "README.md", func(folder string) (err error) {
				for _, name := range append(names, "README.md") {
					err = errors.Join(err, disk.Write(filepath.Join(folder, name), []byte("of "+string(of))))
				}
				return err
			}))
		})
	}
	require.NoError(t, os.MkdirAll(folder, 0o755))
	assert.Empty(t, copyOf("1", "a", "b"), "an empty folder is nobody's")
	require.NoError(t, os.Remove(record))
	assert.Empty(t, copyOf("1", "a", "b"))
	assert.NoDirExists(t, folder+".before")

	for i, aside := range []string{folder + ".before", folder + ".before-2"} {
		of := chain.Print(fmt.Sprint(i + 2))
		require.NoError(t, os.Remove(record))
		before := texts(t, folder)
		notes := copyOf(of, "whole")
		assert.Contains(t, notes, "it is now "+aside)
		assert.Equal(t, before, texts(t, aside))
		assert.Equal(t, map[string]string{"README.md": "of " + string(of), "whole": "of " + string(of)}, texts(t, folder))
		assert.Empty(t, copyOf(of, "whole"))
	}
}

// A link is not put in the place of a folder that the run has not made; that it leads elsewhere is told.
func TestALinkLeavesOthersFolders(t *testing.T) {
	f, given := newFolders(t), t.TempDir()
	folder := filepath.Join(f.run, "teacher")
	require.NoError(t, os.MkdirAll(folder, 0o755))
	link := func(to string) string {
		return f.with(t, nil, func(c *chain.Chain) { require.NoError(t, c.Link("teacher", to)) })
	}
	assert.Equal(t, folder+" is a folder that this run has not made, and stays; the run itself reads "+given, link(given))
	assert.Empty(t, link(folder))
	require.NoError(t, os.Remove(folder))
	assert.Empty(t, link(given))
	assert.Empty(t, link(given))
}

// A pipe in the place of a file of the record is damage, and nothing waits for its writer.
func TestAPipeInAFilesPlace(t *testing.T) {
	f, k := newFolders(t), &counted{}
	do := func() (out chain.Kept[int]) {
		f.with(t, nil, func(c *chain.Chain) {
			var err error
			out, err = chain.Do(context.Background(), c, at("a"), k.write(), input{Text: "x", Times: 1})
			require.NoError(t, err)
		})
		return out
	}
	kept := do().Folder
	for i, path := range []string{filepath.Join(kept, "SUMS"), filepath.Join(kept, "result.json"), filepath.Join(f.run, "chain.json")} {
		require.NoError(t, os.Remove(path))
		require.NoError(t, unix.Mkfifo(path, 0o600))
		ended := make(chan bool)
		go func() {
			_, _ = chain.List(f.run)
			chain.RecordOf(f.run)
			do()
			close(ended)
		}()
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			t.Fatalf("%s is waited for", path)
		}
		assert.Equal(t, min(i+2, 3), k.calls, path)
		require.NoError(t, os.RemoveAll(filepath.Join(f.run, "chain.json")))
		do()
	}
}
