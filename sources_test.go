package espalier

import (
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every Go file of the rooms below cmd/, and every file that one of them embeds, is among the sources that are hashed.
func TestSourcesAreAllThere(t *testing.T) {
	for _, room := range []string{"distillation", "model", "pipeline", "pruning", "torch"} {
		require.NoError(t, filepath.WalkDir(room, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || strings.Contains(path, "testdata") || strings.HasSuffix(path, "_test.go") || !strings.HasSuffix(path, ".go") {
				return err
			}
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			embedded, err := sources.ReadFile(path)
			if assert.NoError(t, err, "add its folder to the patterns in sources.go") {
				assert.Equal(t, string(text), string(embedded))
			}
			for line := range strings.Lines(string(text)) {
				if files, ok := strings.CutPrefix(line, "//go:embed "); ok {
					for _, file := range strings.Fields(files) {
						_, err := sources.ReadFile(filepath.Join(filepath.Dir(path), file))
						assert.NoError(t, err, "%s embeds %s: add it to the patterns in sources.go", path, file)
					}
				}
			}
			return nil
		}))
	}
	require.NoError(t, filepath.WalkDir("csrc", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		_, err = sources.ReadFile(path)
		assert.NoError(t, err, "%s: the shim computes too", path)
		return nil
	}))
	assert.Len(t, Sources(), 64)
}

// Every text and name of a tree moves the hash, and so does a byte that goes from one to the next; tests do not.
func TestHashOfATree(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	tree := fstest.MapFS{"go.sum": file("a"), "pipeline/run.go": file("package pipeline"), "pipeline/run_test.go": file("package pipeline")}
	with := func(name, text string) fstest.MapFS {
		changed := maps.Clone(tree)
		changed[name] = file(text)
		return changed
	}
	hashes := map[string]string{hashOf(tree): "as it is"}
	renamed, shifted := with("pipeline/ru.go", "package pipeline"), with("go.su", "ma")
	delete(renamed, "pipeline/run.go")
	delete(shifted, "go.sum")
	for name, other := range map[string]fs.FS{"a line": with("pipeline/run.go", "package pipeline // changed"), "a version": with("go.sum", "b"),
		"a file": with("pipeline/more.go", "package pipeline"), "a name": renamed, "a shifted byte": shifted} {
		hash := hashOf(other)
		assert.Empty(t, hashes[hash], name)
		hashes[hash] = name
	}
	assert.Equal(t, hashOf(tree), hashOf(with("pipeline/run_test.go", "package other")))
}

// go run and a built binary of one tree have the same hash, which is part of every fingerprint; a build after a change of a
// line in pipeline/ has another, one after a change in cmd/ has not.
func TestBuildsOfTwoTrees(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, fs.WalkDir(sources, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := sources.ReadFile(name)
		require.NoError(t, err)
		write(t, filepath.Join(root, name), string(text))
		return nil
	}))
	for _, name := range []string{"go.mod", "sources.go"} {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		write(t, filepath.Join(root, name), string(text))
	}
	command := filepath.Join(root, "cmd", "tell", "main.go")
	write(t, command, "package main\n\nimport \"espalier\"\n\nfunc main() { print(espalier.Sources()) }\n")
	run := func(name string, args ...string) string {
		c := exec.Command(name, args...)
		c.Dir = root
		out, err := c.CombinedOutput()
		require.NoError(t, err, string(out))
		return string(out)
	}
	built := func() string {
		run("go", "build", "-o", "tell", "./cmd/tell")
		return run("./tell")
	}
	first := built()
	assert.Len(t, first, 64)
	assert.Equal(t, Sources(), first, "it is the tree of this test")
	assert.Equal(t, first, run("go", "run", "./cmd/tell"))
	write(t, command, "package main\n\nimport \"espalier\"\n\n// Another line.\nfunc main() { print(espalier.Sources()) }\n")
	assert.Equal(t, first, built())

	recipe := filepath.Join(root, "pipeline", "run.go")
	text, err := os.ReadFile(recipe)
	require.NoError(t, err)
	write(t, recipe, string(text)+"\n// Another line.\n")
	second := built()
	assert.Len(t, second, 64)
	assert.NotEqual(t, first, second)
	assert.Equal(t, second, run("go", "run", "./cmd/tell"))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}
