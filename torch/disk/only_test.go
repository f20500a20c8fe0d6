package disk_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// writers are the functions of package os that change what is on the disk.
var writers = strings.Fields(`Chmod Chown Chtimes CopyFS Create CreateTemp Link Mkdir MkdirAll MkdirTemp OpenFile Remove RemoveAll
	Rename Symlink Truncate WriteFile`)

// exceptions are files that change the disk by themselves: what they write is gone when the program ends.
var exceptions = map[string]string{
	"bench/run.go":    "a folder in the system's temporary folder for one comparison",
	"bench/python.go": "the peer's program, in that folder",
}

// A file that a program writes in place is half there after a kill.
func TestNothingElseWritesFiles(t *testing.T) {
	const root = "../.."
	found := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		name, _ := filepath.Rel(root, path)
		name = filepath.ToSlash(name)
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "testdata" || name == "torch/disk" || name == "build" || name == "torch/torchtest" || name == ".git"):
			return fs.SkipDir
		case !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if room, ok := call.X.(*ast.Ident); ok && room.Name == "os" {
				for _, w := range writers {
					if call.Sel.Name == w {
						found[name] = true
						assert.Contains(t, exceptions, name, "%s calls os.%s: package disk writes files", name, w)
					}
				}
			}
			return true
		})
		return nil
	})
	require.NoError(t, err)
	for name := range exceptions {
		assert.True(t, found[name], "%s is no exception any more", name)
	}
}
