package rows

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// told collects faults as "place: text".
type told []string

func (t *told) Add(place, format string, args ...any) {
	*t = append(*t, place+": "+fmt.Sprintf(format, args...))
}
func (t *told) Row(place, format string, args ...any) { t.Add(place, format, args...) }

// readText reads a file of one form. The folder's name is left out of places and pictures.
func readText(t *testing.T, name, text string, needAnswers bool) (all []Row, faults []string) {
	t.Helper()
	folder := t.TempDir()
	path := filepath.Join(folder, name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	form, ok := FormOf(name)
	require.True(t, ok)
	return readSource(folder, Source{form, []string{path}}, needAnswers)
}

func readSource(folder string, s Source, needAnswers bool) (all []Row, faults []string) {
	var bad told
	all = s.Read(needAnswers, &bad)
	for i := range all {
		all[i].Place = strings.ReplaceAll(all[i].Place, folder+"/", "")
		if f, ok := all[i].Picture.(File); ok {
			all[i].Picture = File(strings.ReplaceAll(string(f), folder+"/", ""))
		}
	}
	for _, f := range bad {
		faults = append(faults, strings.ReplaceAll(f, folder+"/", ""))
	}
	return all, faults
}

func TestLines(t *testing.T) {
	all, faults := readText(t, "m.jsonl", `{"file_name": "images/1.png", "question": "which", "answer": "seven", "task": "t", "category": "c"}
`+"\r\n"+`{"file_name": "2.png", "question": "which", "answer": ["7", "seven"], "width": 8}
{"image": "3.png", "question": "<image>\nwhich", "answer": null, "task": null}
{"file_name": "4.png", "question": "which", "answer": "red", "answers": ["crimson", "red", "red"]}
{"file_name": "4.png", "question": "which", "answers": [{"answer": "red", "answer_confidence": "yes"}, {"answer": "blue"}], "image": {"not": "ours"}}
{"question": "2 + 2", "answers": "4"}`, false)
	require.Empty(t, faults)
	assert.Equal(t, []Row{
		{"which", "t", "c", []string{"seven"}, File("images/1.png"), "m.jsonl:1"},
		{"which", "", "", []string{"7", "seven"}, File("2.png"), "m.jsonl:3"},
		{"which", "", "", nil, File("3.png"), "m.jsonl:4"},
		{"which", "", "", []string{"red", "crimson", "red"}, File("4.png"), "m.jsonl:5"},
		{"which", "", "", []string{"red", "blue"}, File("4.png"), "m.jsonl:6"},
		{"2 + 2", "", "", []string{"4"}, nil, "m.jsonl:7"},
	}, all)
}

func TestFaultsOfRows(t *testing.T) {
	good := `{"file_name": "1.png", "question": "which", "answer": "seven"}`
	for _, c := range []struct{ row, want string }{
		{`{"file_name": "1.png"`, "malformed JSON"},
		{good + good, "malformed JSON"},
		{`["1.png"]`, "not a JSON object"},
		{`"1.png"`, "not a JSON object"},
		{"{\"file_name\": \"\xff\"}", "not UTF-8"},
		{`{"file_name": "1.png", "answer": "seven"}`, `no "question" among`},
		{`{"file_name": "1.png", "question": " ", "answer": "seven"}`, `"question" is empty`},
		{`{"file_name": " ", "question": "which", "answer": "seven"}`, `"file_name" is empty`},
		{`{"file_name": "/1.png", "question": "which", "answer": "seven"}`, `file_name "/1.png" is absolute`},
		{`{"image": ["1.png", "2.png"], "question": "which", "answer": "seven"}`, `"image" lists 2 pictures`},
		{`{"file_name": "1.png", "question": 7, "answer": "seven"}`, `"question" must be a text, not 7`},
		{`{"file_name": "1.png", "question": "which", "answer": 7}`, `"answer" must be a text or a list of texts, not 7`},
		{`{"file_name": "1.png", "question": "which", "answer": ["a", 7]}`, `not ["a", 7]`},
		{`{"file_name": "1.png", "question": "which", "answers": ["a", null]}`, `"answers" must be a text or a list of texts, not ["a", null]`},
		{`{"file_name": "1.png", "question": "which", "answer": {"answer": "a"}}`, `not {"answer": "a"}`},
		{`{"file_name": "1.png", "question": "which", "answers": [{"text": "a"}]}`, `not [{"text": "a"}]`},
		{`{"file_name": "1.png", "question": "which", "answer": ""}`, `"answer" holds an empty text`},
		{`{"file_name": "1.png", "question": "which", "anwser": "seven"}`, `unknown key "anwser" (did you mean "answer"?)`},
		{`{"FileName": "1.png", "question": "which", "answer": "seven"}`, `unknown key "FileName" (did you mean "file_name"?)`},
		{`{"file_name": "1.png", "question": "which", "answer": "seven", "catagory": "x"}`, `did you mean "category"?`},
		{`{"file_name": "1.png", "question": "which", "answer": "seven", "score": NaN}`, "NaN is no JSON; write null"},
		{`{"file_name": "1.png", "question": "which", "answers": "['red']"}`, `"answers" begins with [ but is no JSON list`},
		{`{"file_name": "1.png", "question": "which", "answer": "seven", "task": "overall"}`, `the task "overall"`},
		{`{"file_name": "1.png", "question": "which", "answer": "a <eos> b"}`, "the word <eos>"},
		{`{"file_name": "1.png", "question": "which", "answer": "<image> a"}`, "the answer \"<image> a\" holds <image>"},
		{`{"file_name": "1.png", "question": "which\n<image>", "answer": "a"}`, "the question holds <image> behind its beginning"},
		{`{"file_name": "1.png", "question": "<image><image>which", "answer": "a"}`, "the question holds <image> behind its beginning"},
		{`{"file_name": "1.png", "question": "<image> ", "answer": "a"}`, "there is no question behind <image>"},
		{`{"question": "<image> which", "answer": "a"}`, "a place for a picture, but the row has none"},
		{`{"file_name": "1.png", "question": "` + strings.Repeat("x", maxRow) + `"}`, "the row has 10"},
	} {
		rows, faults := readText(t, "m.jsonl", good+"\n\n"+c.row+"\n", false)
		require.Len(t, faults, 1, c.row)
		assert.Contains(t, faults[0], c.want)
		assert.True(t, strings.HasPrefix(faults[0], "m.jsonl:3: "), faults[0])
		assert.Len(t, rows, 1)
	}
}

func TestAnswersAreNeededOutsideTraining(t *testing.T) {
	row := `{"file_name": "1.png", "question": "which"}`
	_, faults := readText(t, "m.jsonl", row, false)
	require.Empty(t, faults)
	_, faults = readText(t, "m.jsonl", row, true)
	require.Len(t, faults, 1)
	assert.Contains(t, faults[0], `m.jsonl:1: no "answer"; add one`)
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"answer", "anwser", 2}, {"task", "tasks", 1}, {"kitten", "sitting", 3}} {
		assert.Equal(t, c.want, distance(c.a, c.b), fmt.Sprint(c))
	}
}

func TestSlips(t *testing.T) {
	for key, known := range map[string]string{"tasks": "task", "imag": "image", "Image": "image", "anwser": "answer", "qestion": "question", "fileName": "file_name"} {
		assert.True(t, slip(key, known), key)
	}
	for key, known := range map[string]string{"mask": "task", "id": "task", "question_id": "question", "answerId": "answer", "category_id": "category", "math": "path"} {
		assert.False(t, slip(key, known), key)
	}
	for _, row := range []string{`{"id": 1, "question_id": 7, "image": "1.png", "conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}`,
		`{"image": "1.png", "question": "a", "answer_id": 4, "mask": "x.png", "category_id": 5, "answer": "b"}`} {
		all, faults := readText(t, "m.jsonl", row, true)
		require.Empty(t, faults)
		assert.Equal(t, []Row{{"a", "", "", []string{"b"}, File("1.png"), "m.jsonl:1"}}, all)
	}
}

// Rows without answers are what a teacher labels; but labels under another name would be lost.
func TestAnswersUnderAnotherName(t *testing.T) {
	const open = `{"file_name": "1.png", "question": "which", `
	for text, want := range map[string]string{
		open + `"id": 7, "image_id": 3}`:                                 "",
		open + `"label": "seven"}`:                                       `m.jsonl:1: no row has an "answer", but there is "label"; rename it to "answer" if it is that`,
		open + `"label": 7}` + "\n" + open + `"label": 8}`:               `m.jsonl:1: no row has an "answer", but there is "label"`,
		open + `"source": "x"}` + "\n" + open + `"answer": "a"}`:         "",
		open + `"source": "x", "answer": "a"}` + "\n" + open + `"k": 1}`: "",
	} {
		all, faults := readText(t, "m.jsonl", text, false)
		assert.NotEmpty(t, all)
		if want == "" {
			assert.Empty(t, faults, text)
			continue
		}
		require.Len(t, faults, 1, text)
		assert.Contains(t, faults[0], want)
	}
	all, faults := readText(t, "m.csv", "Unnamed: 0,file_name,question,,\n0,1.png,which,,\n", false)
	assert.Empty(t, faults)
	assert.Equal(t, []Row{{"which", "", "", nil, File("1.png"), "m.csv:2"}}, all)
	type labels struct {
		Question string `parquet:"question"`
		Label    string `parquet:"label"`
		ID       int64  `parquet:"id"`
	}
	_, faults = readText(t, "m.parquet", parquetOf(t, labels{"which", "seven", 1}), false)
	require.Len(t, faults, 1)
	assert.Contains(t, faults[0], `m.parquet: no row has an "answer", but there is "label"`)
}

// Programs that write tables turn a list into a text. Whatever form the table is brought into, it is the list again, and line ends are
// the same.
func TestTextsAreTheSameInEveryForm(t *testing.T) {
	type row struct {
		Question string `parquet:"question"`
		Answer   string `parquet:"answer"`
		Answers  string `parquet:"answers"`
	}
	want := []string{"red", "dark red", "[1, 2]", "crimson\nred"}
	for name, text := range map[string]string{
		"m.jsonl":   `{"question": "which\r\nof them", "answer": "[\"red\", \"dark red\"]", "answers": "[\"[1, 2]\", \"crimson\\r\\nred\"]"}`,
		"m.csv":     "question,answer,answers\r\n\"which\r\nof them\",\"[\"\"red\"\", \"\"dark red\"\"]\",\"[\"\"[1, 2]\"\", \"\"crimson\\r\\nred\"\"]\"\r\n",
		"m.parquet": parquetOf(t, row{"which\r\nof them", `["red", "dark red"]`, `["[1, 2]", "crimson\r\nred"]`}),
	} {
		all, faults := readText(t, name, text, true)
		require.Empty(t, faults, name)
		require.Len(t, all, 1, name)
		assert.Equal(t, "which\nof them", all[0].Question, name)
		assert.Equal(t, want, all[0].Answers, name)
	}
	all, faults := readText(t, "m.jsonl", `{"question": "which", "answer": "[1, 2]"}`, true)
	require.Empty(t, faults)
	assert.Equal(t, []string{"[1, 2]"}, all[0].Answers)
}
