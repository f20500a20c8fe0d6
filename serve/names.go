package serve

import (
	"fmt"
	"path/filepath"
	"strings"

	"espalier/pipeline/fault"
)

// names are the ids of models: the names of their folders, with as many of the folders above as make each the only one.
func names(folders []string) ([]string, error) {
	paths := make([][]string, len(folders))
	for i, f := range folders {
		full, err := filepath.Abs(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		paths[i] = strings.Split(strings.Trim(filepath.ToSlash(full), "/"), "/")
	}
	out := make([]string, len(folders))
	for i, own := range paths {
		n := 1
		for j, other := range paths {
			same := ending(own, other)
			if i != j && same == len(own) && same == len(other) {
				return nil, fault.Inputf("%s is given twice; name each checkpoint once", folders[i])
			}
			if i != j {
				n = max(n, min(same+1, len(own)))
			}
		}
		out[i] = strings.Join(own[len(own)-n:], "/")
	}
	return out, nil
}

// ending is the number of names in which two paths end alike.
func ending(a, b []string) (n int) {
	for n < min(len(a), len(b)) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return n
}

// ids lists the models for a message.
func ids(models []*served) string {
	out := make([]string, len(models))
	for i, m := range models {
		out[i] = m.id
	}
	return strings.Join(out, ", ")
}
