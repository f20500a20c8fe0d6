package rows

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// entryOf is a member of a shard.
type entryOf struct{ name, text string }

func shardOf(t *testing.T, entries ...entryOf) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: e.name, Mode: 0o644, Size: int64(len(e.text)), Typeflag: tar.TypeReg}))
		_, err := io.WriteString(w, e.text)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return out.Bytes()
}

func shardRows(t *testing.T, data []byte) ([]Row, []string) {
	t.Helper()
	return readText(t, "s.tar", string(data), true)
}

const sound = `{"question": "a", "answer": "b"}`

func TestShards(t *testing.T) {
	long := strings.Repeat("long/", 40) + "3"
	folder := t.TempDir()
	path := filepath.Join(folder, "s.tar")
	require.NoError(t, os.WriteFile(path, shardOf(t,
		entryOf{"a/1.JPG", "first"}, entryOf{"a/1.json", `{"question": "<image> a", "answer": "b", "task": "t", "file_name": "gone.jpg"}`}, entryOf{"a/1.cls", "7"},
		entryOf{"__meta.json", "{}"}, entryOf{"README", "none"},
		entryOf{"b/1.json", "[\n" + sound + ",\n{\"conversations\": [{\"from\": \"human\", \"value\": \"c\"},\n{\"from\": \"gpt\", \"value\": \"d\"}]}]"}, entryOf{"b/1.png", "second"},
		entryOf{long + ".png", "third, under a name that needs a header of its own"}, entryOf{long + ".json", sound}), 0o644))
	all, faults := readSource(folder, Source{Shards, []string{path}}, true)
	require.Empty(t, faults)
	var got []string
	for _, r := range all {
		data, err := r.Picture.Read()
		require.NoError(t, err)
		got = append(got, fmt.Sprintf("%s %s %s %s %.6s", r.Place, r.Question, r.Answers[0], r.Task, data))
	}
	assert.Equal(t, []string{"s.tar: a/1.json:1 a b t first", "s.tar: b/1.json:2 a b  second", "s.tar: b/1.json:3 c d  second", "s.tar: " + long + ".json:1 a b  third,"}, got)
	assert.Len(t, Pictures(all), 3)
	assert.ErrorContains(t, all[0].Picture.Check(), "s.tar: a/1.JPG: not a picture")
}

func TestFaultsOfShards(t *testing.T) {
	picture := entryOf{"1.png", strings.Repeat("x", 3000)}
	for _, c := range []struct {
		entries []entryOf
		want    string
	}{
		{[]entryOf{picture}, `s.tar: 1.png: the sample has no 1.json`},
		{[]entryOf{{"1.json", sound}}, "s.tar: 1.json: the sample has no picture (1.png, .jpg, …)"},
		{[]entryOf{{"1.json", sound}, picture, {"1.jpg", "y"}}, `s.tar: 1.jpg: a second picture of the sample "1"`},
		{[]entryOf{{"1.json", sound}, picture, {"1.json", sound}}, `s.tar: 1.json: a second .json of the sample "1"`},
		{[]entryOf{{"../1.png", "x"}, {"../1.json", sound}}, "s.tar: ../1.png: the member's name leads out of the shard"},
		{[]entryOf{{"/1.png", "x"}, {"/1.json", sound}}, "s.tar: /1.png: the member's name leads out of the shard"},
		{[]entryOf{picture, {"1.json", "{\n\"question\": \"a\",\n"}}, "s.tar: 1.json:1: malformed JSON"},
		{[]entryOf{picture, {"1.json", "[" + sound + ",\n7]"}}, "s.tar: 1.json:2: not a JSON object"},
		{[]entryOf{picture, {"1.json", "[" + sound + ",\n" + sound + "\n\n"}}, "s.tar: 1.json:4: malformed JSON"},
		{[]entryOf{picture, {"1.json", strings.Repeat(" ", maxTexts+1)}}, "s.tar: 1.json: the member has 16777217 bytes"},
		{nil, "s.tar: holds no rows"},
	} {
		_, faults := shardRows(t, shardOf(t, c.entries...))
		require.NotEmpty(t, faults, c.want)
		assert.Contains(t, faults[0], c.want)
	}
	whole := shardOf(t, entryOf{"0.png", "y"}, entryOf{"0.json", sound}, picture, entryOf{"1.json", sound})
	all, faults := shardRows(t, whole[:4*512+700])
	require.NotEmpty(t, faults)
	assert.Contains(t, faults[0], "s.tar: 1.png: the member is not whole in this shard")
	assert.Len(t, all, 1, "what stands before the cut is read")
	_, faults = shardRows(t, append(bytes.Clone(whole[:4*512]), bytes.Repeat([]byte("x"), 600)...))
	require.Len(t, faults, 1)
	assert.Contains(t, faults[0], `s.tar: broken behind the member "0.json"`)
	_, faults = shardRows(t, []byte("\x1f\x8b\x08 and more"))
	require.Len(t, faults, 1)
	assert.Contains(t, faults[0], "the shard is compressed")
}
