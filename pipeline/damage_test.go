package pipeline

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/card"
	"espalier/pipeline/chain"
	"espalier/pipeline/event"
	"espalier/pipeline/journal"
	"espalier/pipeline/runtest"
	"espalier/torch/disk"
	"espalier/torch/torchtest"
)

// Each kind of operation on the disk made to fail once: the run ends right, or with an error that names the file, and then the
// next start does.
func TestEachOperationFails(t *testing.T) {
	torchtest.Setup(t)
	var kinds []int // the first operation of each kind
	seen := map[string]bool{}
	run := func(n int) map[string]string {
		output := filepath.Join(t.TempDir(), "run")
		cfg := tinyConfig(t, output)
		count, what, where := 0, "", ""
		restore := disk.Intercept(func(op disk.Op, path string) error {
			count++
			if kind := op.String() + varying.ReplaceAllString(path, ""); n == 0 && !seen[kind] {
				seen[kind] = true
				kinds = append(kinds, count)
			}
			if count == n {
				what, where = op.String(), path
				return syscall.ENOSPC
			}
			return nil
		})
		err := runKeenly(cfg, nil)
		restore()
		if err != nil {
			assert.ErrorIs(t, err, syscall.ENOSPC, "operation %d, %s %s", n, what, where)
			assert.ErrorContains(t, err, where, "operation %d, %s", n, what)
			_, err = runWith(context.Background(), cfg, nil)
		}
		require.NoError(t, err, "operation %d, %s %s", n, what, where)
		return outcome(t, output)
	}
	want := run(0)
	for i := 0; i < len(kinds); i += runtest.Sample(max(1, len(kinds)/8)) {
		require.Equal(t, want, run(kinds[i]), "operation %d", kinds[i])
	}
}

// varying is what differs in the paths of files of one kind: of temporary folders, of steps and of results.
var varying = regexp.MustCompile("[0-9a-f]{32}|[0-9]+")

// damages are what may happen to a file that was written.
var damages = []struct {
	name string
	do   func(path string, text []byte) error
}{
	{"a flipped bit", func(path string, text []byte) error {
		text[len(text)/2] ^= 1
		return os.WriteFile(path, text, 0o644)
	}},
	{"a half", func(path string, text []byte) error { return os.Truncate(path, int64(len(text)/2)) }},
	{"nothing", func(path string, _ []byte) error { return os.Truncate(path, 0) }},
	{"gone", func(path string, _ []byte) error { return os.Remove(path) }},
}

// Damage to any file of a finished run is found, named where the file is a kept result's, and mended.
func TestDamagedRuns(t *testing.T) {
	torchtest.Setup(t)
	output, store := filepath.Join(t.TempDir(), "run"), filepath.Join(t.TempDir(), "store")
	cfg := tinyConfig(t, output, "store="+store)
	_, err := runWith(context.Background(), cfg, nil)
	require.NoError(t, err)
	want := outcome(t, output)
	files := append(filesBelow(t, output), filesBelow(t, store)...)
	for i := range len(files) * len(damages) {
		if i%runtest.Sample(29) > 0 {
			continue
		}
		file, damage := files[i%len(files)], damages[i/len(files)]
		if filepath.Base(file) == card.Name && damage.name != "gone" {
			continue // people edit it: it stays as it is
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, damage.do(file, text))
		notes := ""
		_, err = runWith(context.Background(), cfg, func(e event.Event) {
			if n, ok := e.(event.Note); ok {
				notes += n.Text + "\n"
			}
		})
		require.NoError(t, err, "%s: %s", file, damage.name)
		require.Equal(t, want, outcome(t, output), "%s: %s", file, damage.name)
		if kept := filepath.Join(filepath.Dir(file), chain.ManifestName); exists(kept) {
			assert.Contains(t, notes, filepath.Dir(file), damage.name)
		}
	}
}

// filesBelow are the files in a folder and in those below it, but for locks, which hold nothing, and TensorBoard's, which each start has anew
// under another name.
func filesBelow(t *testing.T, folder string) (files []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && !strings.Contains(path, "/.lock") && !strings.Contains(path, "/"+journal.BoardName+"/") {
			files = append(files, path)
		}
		return err
	}))
	require.NotEmpty(t, files)
	return files
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
