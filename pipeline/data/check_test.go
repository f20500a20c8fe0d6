package data_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/data"
	"espalier/pipeline/datatest"
	"espalier/pipeline/rows"
)

// planted is a line of a file, and what is wrong with it; nothing is where want is empty.
type planted struct{ text, want string }

// plant writes lines, and adds what should be found to want, as "place: text".
func plant(t *testing.T, root, name string, lines []planted, want *[][2]string) {
	t.Helper()
	var text strings.Builder
	for i, l := range lines {
		text.WriteString(l.text + "\n")
		if l.want != "" {
			*want = append(*want, [2]string{fmt.Sprintf("data: %s:%d: ", filepath.Join(root, name), i+1), l.want})
		}
	}
	save(t, root, name, text.String())
}

func save(t *testing.T, root, name, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Join(root, filepath.Dir(name)), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o644))
}

// All faults of a data set are listed, each with its line: those of texts and those of pictures, in every form.
func TestCheckFindsAllFaults(t *testing.T) {
	root := t.TempDir()
	whole := string(datatest.Level(t, 1, 2))
	damaged := []byte(datatest.Level(t, 3, 4))
	damaged[bytes.Index(damaged, []byte("IDAT"))+6] ^= 0xff
	for name, text := range map[string]string{"good.png": whole, "short.png": whole[:40], "text.png": "no picture", "empty.png": "", "damaged.png": string(damaged)} {
		save(t, root, name, text)
	}
	var want [][2]string
	row := func(name, rest string) string {
		return fmt.Sprintf(`{"file_name": "../%s", "question": "which", %s}`, name, rest)
	}
	plant(t, root, "train/metadata.jsonl", []planted{
		{row("good.png", `"answer": "one"`), ""},
		{`{"file_name": "../good.png", `, "malformed JSON"},
		{`{"file_name": "../good.png", "answer": "one"}`, `no "question"`},
		{row("good.png", `"answer": 7`), `"answer" must be a text`},
		{row("gone.png", `"answer": "one"`), "there is no picture"},
		{`{"file_name": "/etc/passwd", "question": "which", "answer": "one"}`, "is absolute"},
		{`{"file_name": "../good.png", "question": "what is <image>", "answer": "one"}`, "the question holds <image>"},
		{row("good.png", `"anwser": "one"`), `did you mean "answer"`},
		{"", ""},
		{row("good.png", "\"answer\": \"\xff\""), "not UTF-8"},
		{row("good.png", `"answer": "one", "task": "overall"`), `the task "overall"`},
		{row("", `"answer": "one"`), "is a folder"},
		{row("good.png", `"answer": "<unk>"`), "the word <unk>"},
		{row("gone.png", `"answer": "two"`), "there is no picture"},
		{row("good.png", ``+`"answer": null`), ""},
		{row("short.png", `"answer": "one"`), "broken PNG picture"},
		{row("text.png", `"answer": "one"`), "not a picture"},
		{row("empty.png", `"answer": "one"`), "the file is empty"},
		{row("damaged.png", `"answer": "one"`), "broken PNG picture"},
	}, &want)
	plant(t, root, "validation.csv", []planted{
		{"path,question,answer,answers", ""},
		{"good.png,which,one,", ""},
		{"good.png,which,one", "the row has 3 cells"},
		{`good.png,a "quote,one,`, "malformed CSV"},
		{"good.png,,one,", `"question" is empty`},
		{"good.png,which,,", `no "answer"`},
		{"gone.png,which,one,", "there is no picture"},
		{"good.png,which,,[", "is no JSON list"},
		{"damaged.png,which,one,", "broken PNG picture"},
	}, &want)
	turns := func(question string) string {
		return fmt.Sprintf(`"conversations": [{"from": "human", "value": %q}, {"from": "gpt", "value": "one"}]`, question)
	}
	plant(t, root, "test.json", []planted{
		{`[{"image": "good.png", ` + turns("<image>\nwhich") + `},`, ""},
		{`{"image": "good.png", ` + turns("which\n<image>") + `},`, "the question holds <image>"},
		{`{"image": "good.png", "conversations": [`, ""},
		{`{"from": "system", "value": "Be kind."}]},`, `a turn is of "system"`},
		{`{"image": "good.png", "conversations": [{"from": "gpt", "value": "one"}]},`, "an answer without a question"},
		{`{"image": ["good.png", "text.png"], ` + turns("which") + `},`, `"image" lists 2 pictures`},
		{`{"image": "good.png", "conversations": [{"from": "human", "value": "which"}]},`, `no "answer"`},
		{`{"image": "good.png", "conversations": []},`, "must be a list of turns"},
		{`{"image": "gone.png", ` + turns("which") + `},`, "there is no picture"},
		{`{` + turns("which") + `},`, `no "file_name", which other rows have`},
		{`{"image": "good.png" "x"}]`, "malformed JSON"},
	}, &want)
	shard := filepath.Join(root, "ood-0.tar")
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	good := `{"question": "which", "answer": "one"}`
	for _, m := range []struct{ name, text, line, want string }{
		{"1.png", whole, "", ""}, {"1.json", good, "", ""},
		{"2.png", whole, "", "the sample has no 2.json"},
		{"3.json", good, "", "the sample has no picture"},
		{"4.png", whole, "", ""}, {"4.json", good, "", ""}, {"4.jpg", whole, "", "a second picture"},
		{"../5.png", whole, "", "leads out of the shard"},
		{"6.png", whole, "", ""}, {"6.json", "[" + good + ",\n{\"question\": \"which\"}]", ":2", `no "answer"`},
		{"7.png", whole, "", ""}, {"7.json", "{\n", ":1", "malformed JSON"},
		{"8.png", whole[:40], "", ""}, {"8.json", good, ":1", "broken PNG picture"},
	} {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: m.name, Mode: 0o644, Size: int64(len(m.text)), Typeflag: tar.TypeReg}))
		_, err := w.Write([]byte(m.text))
		require.NoError(t, err)
		if m.want != "" {
			want = append(want, [2]string{fmt.Sprintf("data: %s: %s%s: ", shard, m.name, m.line), m.want})
		}
	}
	require.NoError(t, w.Close())
	save(t, root, "ood-0.tar", out.String())

	assert.GreaterOrEqual(t, len(want), 30)
	checked := data.Check(root)
	found := map[string]string{}
	for _, line := range checked.Faults {
		for _, w := range want {
			if text, ok := strings.CutPrefix(line, w[0]); ok {
				found[w[0]] = text
			}
		}
	}
	for _, w := range want {
		assert.Contains(t, found[w[0]], w[1], w[0])
	}
	assert.Len(t, checked.Faults, len(want), strings.Join(checked.Faults, "\n"))
	assert.Equal(t, data.Checks{Name: "train", Form: rows.Lines, Files: 1, Pictures: 1, Questions: 2, Fingerprint: checked.Splits[0].Fingerprint}, checked.Splits[0])
	require.Len(t, checked.Splits, 4)
	assert.Contains(t, strings.Join(checked.Notes, "\n"), "1 picture of validation is also in train")
}

func TestCheckOfParquet(t *testing.T) {
	type picture struct {
		Bytes []byte `parquet:"bytes,optional"`
	}
	type row struct {
		Image    picture `parquet:"image"`
		Question string  `parquet:"question"`
		Answer   string  `parquet:"answer,optional"`
	}
	whole := datatest.Level(t, 1, 2)
	var out bytes.Buffer
	w := parquet.NewGenericWriter[row](&out, parquet.MaxRowsPerRowGroup(2))
	_, err := w.Write([]row{{picture{whole}, "which", "one"}, {picture{nil}, "which", "one"}, {picture{whole[:40]}, "which", "one"}, {picture{whole}, " ", "one"},
		{picture{whole}, "which", "\xff"}, {picture{whole}, "which", "two"}})
	require.NoError(t, err)
	require.NoError(t, w.Close())
	root := t.TempDir()
	save(t, root, "all.parquet", out.String())
	checked := data.Check(root)
	at := "data: " + filepath.Join(root, "all.parquet") + ": row group "
	require.Len(t, checked.Faults, 4, strings.Join(checked.Faults, "\n"))
	for i, want := range []string{`1, row 1: "question" is empty`, `2, row 0: "answer" is not UTF-8`, "0, row 1: " + at[6:] + "0, row 1: the picture has no bytes", "1, row 0: "} {
		assert.Contains(t, checked.Faults[i], at+want)
	}
	require.Len(t, checked.Splits, 1)
	assert.Equal(t, data.Checks{Form: rows.Parquet, Files: 1, Pictures: 1, Questions: 2, Fingerprint: checked.Splits[0].Fingerprint}, checked.Splits[0])
	require.Len(t, checked.Notes, 1)
	assert.Contains(t, checked.Notes[0], "there are no other splits")
}

func TestCheckOfNothing(t *testing.T) {
	for root, want := range map[string]string{filepath.Join(t.TempDir(), "gone"): "there is no such folder or file", t.TempDir(): "the split train is missing"} {
		checked := data.Check(root)
		require.NotEmpty(t, checked.Faults)
		assert.Contains(t, checked.Faults[0], want)
		assert.Empty(t, checked.Splits)
	}
}

// One split alone is divided; but a second one under a name that is not read would be lost.
func TestOnlyTrain(t *testing.T) {
	root := t.TempDir()
	var rows []string
	for i := range 20 {
		rows = append(rows, fmt.Sprintf(`{"question": "which of %d", "answer": "one"}`, i))
	}
	save(t, root, "train.jsonl", strings.Join(rows, "\n"))
	checked := data.Check(root)
	assert.Empty(t, checked.Faults)
	require.Len(t, checked.Notes, 1)
	assert.Contains(t, checked.Notes[0], `train.jsonl: there are no other splits; data.split = "80/10/10" makes them of this`)
	assert.Equal(t, 0, checked.Splits[0].Pictures, "the questions are about none")
	assert.Equal(t, 20, checked.Splits[0].Questions)
	look, err := data.LookAt(root)
	require.NoError(t, err)
	assert.True(t, look.Whole)
	divided := data.Config{Root: root, Size: 8, Shares: [3]int{80, 10, 10}}
	_, err = data.Open(divided)
	require.NoError(t, err)

	save(t, root, "val.jsonl", `{"question": "which", "answer": "one"}`)
	const want = "val.jsonl: this split has a name that is not read; rename val to validation"
	checked = data.Check(root)
	require.Len(t, checked.Faults, 1)
	assert.Contains(t, checked.Faults[0], want)
	_, err = data.LookAt(root)
	assert.ErrorContains(t, err, want)
	_, err = data.Open(divided)
	assert.ErrorContains(t, err, want)
}
