// Package espalier knows the sources that the program was built from: results that other sources computed are not
// taken for its own.
package espalier

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"
	"sync"
)

// What computes results: the rooms below cmd/, the shim, and the versions of the libraries. sources_test.go finds what is left out.
//
//go:embed go.sum CMakeLists.txt csrc distillation/*.go model/*.go model/*/*.go model/names/*.toml pipeline/*.go pipeline/*/*.go pipeline/page/*.html pipeline/page/*.css pipeline/page/*.js pruning/*.go torch/*.go torch/*.h torch/*/*.go torch/*/*/*.go
var sources embed.FS

// Sources is the SHA-256, in hexadecimal, of the names and texts of these files, tests left out: the same for go run and for
// a built binary of the same tree.
var Sources = sync.OnceValue(func() string { return hashOf(sources) })

// hashOf is the hash of the files of a tree.
func hashOf(tree fs.FS) string {
	h := sha256.New()
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := fs.ReadFile(tree, name)
		fmt.Fprintf(h, "%d:%s%d:%s", len(name), name, len(text), text)
		return err
	})
	if err != nil {
		panic(fmt.Sprintf("the embedded sources cannot be read: %v", err)) // they are in the binary
	}
	return hex.EncodeToString(h.Sum(nil))
}
