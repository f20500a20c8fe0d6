package chain_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/chain"
	"espalier/torch/disk"
)

// What cannot be kept in the shared folder is kept in the run's, and where that fails too the run goes on all the same.
func TestWhatCannotBeKept(t *testing.T) {
	in := input{Text: "x", Times: 5}
	for _, streamed := range []bool{false, true} {
		f, k := newFolders(t), &counted{}
		step := k.write()
		if streamed {
			step.Compute = func(_ context.Context, w *chain.Work, in input) (int, error) {
				folder, err := w.Folder()
				if err != nil {
					return 0, err
				}
				return 5, disk.Write(filepath.Join(folder, "text"), []byte("xxxxx"))
			}
		}
		fail := func(where ...string) func() {
			return disk.Intercept(func(op disk.Op, path string) error {
				for _, w := range where {
					if strings.HasPrefix(path, w) {
						return errors.New("no space left")
					}
				}
				return nil
			})
		}
		var out chain.Kept[int]
		do := func(c *chain.Chain) {
			var err error
			out, err = chain.Do(context.Background(), c, at("a"), step, in)
			require.NoError(t, err)
			text, err := os.ReadFile(filepath.Join(out.Folder, "text"))
			require.NoError(t, err)
			assert.Equal(t, "xxxxx", string(text))
		}
		restore := fail(f.shared)
		notes := f.with(t, nil, do)
		restore()
		assert.Contains(t, notes, "no space left")
		assert.True(t, strings.HasPrefix(out.Folder, f.run), out.Folder)
		f.with(t, nil, do)
		assert.True(t, out.Reused)

		g := newFolders(t)
		g.with(t, nil, func(c *chain.Chain) {
			defer fail(g.shared, filepath.Join(g.run, "kept"))()
			do(c)
		})
		assert.NoDirExists(t, out.Folder, "it went with the run")
	}
}

// Each write, sync and rename made to fail once, in turn, loses nothing.
func TestEachOperationFailsOnce(t *testing.T) {
	for n := 1; ; n++ {
		f, k := newFolders(t), &counted{}
		count := 0
		restore := disk.Intercept(func(op disk.Op, path string) error {
			if strings.HasPrefix(path, f.shared) || strings.HasPrefix(path, filepath.Join(f.run, "kept")) {
				if count++; count == n {
					return errors.New("failed once")
				}
			}
			return nil
		})
		f.with(t, func(o *chain.Options) { require.NoError(t, os.MkdirAll(filepath.Join(f.run, "kept"), 0o755)) }, func(c *chain.Chain) {
			out, err := chain.Do(context.Background(), c, at("a"), k.write(), input{Text: "x", Times: 2})
			require.NoError(t, err, "operation %d", n)
			text, err := os.ReadFile(filepath.Join(out.Folder, "text"))
			require.NoError(t, err)
			assert.Equal(t, "xx", string(text))
		})
		restore()
		assert.Equal(t, 1, k.calls)
		if count < n {
			assert.Greater(t, n, 10)
			return
		}
	}
}

// The temporary folder is made for a result that no other place takes, so that a run that is killed before that leaves none.
func TestTheTemporaryFolderIsMadeWhenNeeded(t *testing.T) {
	f, temporary := newFolders(t), t.TempDir()
	t.Setenv("TMPDIR", temporary)
	f.with(t, nil, func(c *chain.Chain) {
		_, err := chain.Do(context.Background(), c, at("a"), (&counted{}).write(), input{Text: "x", Times: 1})
		require.NoError(t, err)
		left, err := os.ReadDir(temporary)
		require.NoError(t, err)
		assert.Empty(t, left)
	})
}

// Where no place can keep a result, the temporary one neither, the error has what each of them said and what to do, and nothing is written where nobody asked for it.
func TestAResultThatCanBeKeptNowhere(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "none"))
	t.Chdir(t.TempDir())
	for _, fails := range []disk.Op{disk.OpCreate, disk.OpWrite} { // before it is computed, and after
		f := newFolders(t)
		notes := f.with(t, nil, func(c *chain.Chain) {
			defer disk.Intercept(func(op disk.Op, path string) error {
				if op == fails && (strings.HasPrefix(path, f.shared) || strings.HasPrefix(path, filepath.Join(f.run, "kept"))) {
					return errors.New("no space left")
				}
				return nil
			})()
			_, err := chain.Do(context.Background(), c, at("a"), (&counted{}).write(), input{Text: "x", Times: 1})
			for _, want := range []string{f.shared, filepath.Join(f.run, "kept"), os.Getenv("TMPDIR"), "free some space"} {
				assert.ErrorContains(t, err, want)
			}
		})
		assert.Contains(t, notes, "cannot be kept in a temporary folder")
		left, err := os.ReadDir(".")
		require.NoError(t, err)
		assert.Empty(t, left)
	}
}
