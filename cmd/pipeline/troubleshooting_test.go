package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each error that docs/troubleshooting.md quotes is one that the program has.
func TestTroubleshootingQuotesTheProgram(t *testing.T) {
	page, err := os.ReadFile("../../docs/troubleshooting.md")
	require.NoError(t, err)
	headings := regexp.MustCompile("(?m)^### `(.*)`$").FindAllStringSubmatch(string(page), -1)
	assert.Len(t, headings, 20)
	said := texts(t)
	for _, h := range headings {
		assert.True(t, quotedFrom(said, h[1]), "no text of the program is %q", h[1])
	}
	assert.False(t, quotedFrom(said, "there is no such … message"), "what is not there is not found")
}

// quotedFrom tells whether one of the texts has a quotation's parts in their order.
func quotedFrom(said []string, quoted string) bool {
	parts := strings.Split(quoted, "…")
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	pattern := regexp.MustCompile("(?s)" + strings.Join(parts, ".*"))
	for _, text := range said {
		if pattern.MatchString(text) {
			return true
		}
	}
	return false
}

// texts are those in the program's sources: its string constants, added up where they are, and the lines of the Makefile.
func texts(t *testing.T) (said []string) {
	t.Helper()
	root := filepath.Join("..", "..")
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	require.NoError(t, err)
	said = strings.Split(string(makefile), "\n")
	require.NoError(t, filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			if name := e.Name(); path != root && (strings.HasPrefix(name, ".") || name == "build" || name == "runs" || name == "node_modules") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if e, ok := n.(ast.Expr); ok {
				if text := added(e); text != "" {
					said = append(said, text)
					return false
				}
			}
			return true
		})
		return nil
	}))
	return said
}

// added is the text of a string constant, or of a sum in which there are some; what is no constant is any text.
func added(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			text, _ := strconv.Unquote(e.Value)
			return text
		}
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			return added(e.X) + added(e.Y)
		}
	}
	return ""
}
