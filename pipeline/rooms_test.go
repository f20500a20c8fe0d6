package pipeline

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// downwards are the rooms within pipeline/: each may import those behind it alone.
var downwards = []string{"pipeline", "experiment", "page", "propose", "doctor", "forecast", "target", "stage", "teacher", "needs", "measure", "energy", "network", "corpus", "runtest", "datatest", "pagetest", "data", "rows", "metric", "chain", "config", "journal", "tensorboard", "event", "card", "report", "fault", "process", "random"}

// Imports within pipeline/ point one way.
func TestRooms(t *testing.T) {
	sources(t, func(room, path string, file *ast.File) {
		place := slices.Index(downwards, room)
		require.GreaterOrEqual(t, place, 0, "%s is no room that downwards knows", room)
		for _, i := range file.Imports {
			if to, ok := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), "espalier/pipeline/"); ok {
				assert.Greater(t, slices.Index(downwards, to), place, "%s imports %s", path, to)
			}
		}
	})
}

// A type with more methods is several things: find the value within it that some of them are about.
const mostMethods = 12

// No type within pipeline/ has more than a dozen methods.
func TestTypesAreSmall(t *testing.T) {
	methods := map[string][]string{}
	sources(t, func(room, _ string, file *ast.File) {
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil {
				of := room + "." + receiver(f.Recv.List[0].Type)
				methods[of] = append(methods[of], f.Name.Name)
			}
		}
	})
	require.Contains(t, methods["chain.Chain"], "Close", "methods of pointers")
	require.Contains(t, methods["chain.Result"], "Print", "and of values")
	for of, names := range methods {
		assert.LessOrEqual(t, len(names), mostMethods, "%s has %d methods: %s", of, len(names), strings.Join(names, ", "))
	}
}

// receiver is the name of a method's type.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr: // T[A]
		return receiver(e.X)
	case *ast.IndexListExpr: // T[A, B]
		return receiver(e.X)
	}
	return e.(*ast.Ident).Name
}

// sources calls f with every file within pipeline/ that is no test, and the room that it is in.
func sources(t *testing.T, f func(room, path string, file *ast.File)) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		room := filepath.Dir(path)
		if room == "." {
			room = "pipeline"
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		f(room, path, file)
		return nil
	}))
}
