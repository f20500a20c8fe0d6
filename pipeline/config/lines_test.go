package config

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const awkward = `# a comment with [brackets] and a = b
title = "a # in a text, and a ]"
"quoted key" = 'literal \'
a.b . "c" = { d = 1, e = { f = "}" } }
text = """
[not.a.table]
x = 1 \"""
"""
list = [ # one
  "two", { three = 3 },
  [4,
   5],
]
lit = '''it''s
y = 2''''

[[row]]
n = 1
  [row.sub]
  m = 2
  [[row.deep]]
  k = 1
[[row]]
n = 3
[row.sub]
m = 4
[[row.deep]]
k = 2
[[row.deep]]
k = 3
[a.z]
end = 1979-05-27T07:32:00Z # the end`

func TestKeyLines(t *testing.T) {
	var tree map[string]any
	_, err := toml.Decode(awkward, &tree)
	require.NoError(t, err)
	lines, err := keyLines(awkward)
	require.NoError(t, err)
	for path, want := range map[string]int{
		"title": 2, "quoted key": 3, "a": 4, "a.b.c": 4, "a.b.c.e.f": 4, "text": 5, "list": 9, "list[1].three": 10,
		"lit": 14, "row": 17, "row[0].n": 18, "row[0].sub": 19, "row[0].sub.m": 20, "row[0].deep[0].k": 22,
		"row[1]": 23, "row[1].n": 24, "row[1].sub.m": 26, "row[1].deep[0].k": 28, "row[1].deep[1]": 29, "row[1].deep[1].k": 30,
		"a.z": 31, "a.z.end": 32,
	} {
		assert.Equal(t, want, lines[path], path)
	}
	assert.NotContains(t, lines, "not.a.table")
	assert.NotContains(t, lines, "y")
}

// Whatever the decoder accepts, the scanner finds: every key of the decoded tree has a line within the text.
func FuzzKeyLines(f *testing.F) {
	file, err := os.ReadFile("../../run.toml")
	require.NoError(f, err)
	for _, seed := range []string{awkward, string(file), small, "a=1\r\n[b]\r\nc=[1,\r\n2]", "''=1", `"a.b"=1`, "[[a]]\n[[a.b]]\n[a.b.c]", "a={b.c=1,d=[{e=1}]}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines, err := keyLines(text) // whatever the text is
		if err != nil {
			return
		}
		var tree map[string]any
		if _, err := toml.Decode(text, &tree); err != nil {
			return
		}
		eachKey("", tree, func(path string) {
			assert.Contains(t, lines, path)
		})
	})
}

// eachKey walks keys that need no escapes; the scanner leaves escapes in keys as they are written.
func eachKey(path string, value any, visit func(string)) {
	switch v := value.(type) {
	case map[string]any:
		for key, sub := range v {
			if !plainKey.MatchString(key) {
				continue
			}
			visit(join(path, key))
			eachKey(join(path, key), sub, visit)
		}
	case []map[string]any:
		for i, sub := range v {
			eachKey(fmt.Sprintf("%s[%d]", path, i), sub, visit)
		}
	case []any:
		for i, sub := range v {
			eachKey(fmt.Sprintf("%s[%d]", path, i), sub, visit)
		}
	}
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// What editors on Windows make of a file says the same, on the same lines.
func TestFilesOfOtherEditors(t *testing.T) {
	want, err := Parse("run.toml", small)
	require.NoError(t, err)
	faulty := "sed = 1\n" + small + "alpha = 3\n"
	for name, encode := range map[string]func(string) string{
		"mark":                   func(s string) string { return "\ufeff" + s },
		"Windows lines":          func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
		"mark and Windows lines": func(s string) string { return "\ufeff" + strings.ReplaceAll(s, "\n", "\r\n") },
		"UTF-16": func(s string) string {
			out := "\xff\xfe"
			for _, c := range []byte(s) {
				out += string([]byte{c, 0})
			}
			return out
		},
	} {
		path := filepath.Join(t.TempDir(), "run.toml")
		require.NoError(t, os.WriteFile(path, []byte(encode(small)), 0o644))
		got, err := Load(path)
		require.NoError(t, err, name)
		assert.Equal(t, want, got, name)
		require.NoError(t, os.WriteFile(path, []byte(encode(faulty)), 0o644))
		_, err = Load(path)
		require.Error(t, err)
		assert.Equal(t, faultsOf(t, faulty), strings.Split(err.Error(), "\n"), name)
	}
}
