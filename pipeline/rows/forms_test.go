package rows

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTable(t *testing.T) {
	const rows = `path,question,answer,task,category,answers,width
a/1.png,which,seven,t,c,,8
"2.png","which,
of both",,,,"[""7"", ""seven""]",
3.png,<image> which,[7],,,,
`
	want := []Row{
		{"which", "t", "c", []string{"seven"}, File("a/1.png"), "m.csv:2"},
		{"which,\nof both", "", "", []string{"7", "seven"}, File("2.png"), "m.csv:3"},
		{"which", "", "", []string{"[7]"}, File("3.png"), "m.csv:5"},
	}
	all, faults := readText(t, "m.csv", rows, true)
	require.Empty(t, faults)
	assert.Equal(t, want, all)

	for sign, text := range map[string]string{"semicolon": "question;answer\na, b;c\n", "tab": "question\tanswer\na, b\tc\n"} {
		all, faults = readText(t, "m.csv", text, true)
		require.Empty(t, faults, sign)
		assert.Equal(t, []Row{{"a, b", "", "", []string{"c"}, nil, "m.csv:2"}}, all, sign)
	}
}

func TestFaultsOfTables(t *testing.T) {
	all, faults := readText(t, "m.csv", "path,question,answer,answers\n"+
		"1.png,a,b\n"+
		"1.png,a,b,\n"+
		"1.png,a \"b,c,\n"+
		"1.png,a,,[7\n"+
		"1.png,\xff,b,\n"+
		"1.png,,b,\n"+
		"1.png,a,,\n"+
		"2.png,\"never ends,b,\n\n", true)
	assert.Len(t, all, 1)
	assert.Equal(t, []string{
		"m.csv:2: the row has 3 cells, the first line names 4 columns; a cell with a separator in it must stand in quotation marks",
		`m.csv:4: malformed CSV (bare " in non-quoted-field); put cells with quotation marks, separators or line ends in quotation marks, and double those within`,
		`m.csv:5: "answers" begins with [ but is no JSON list; write ["red", "dark red"]`,
		"m.csv:6: not UTF-8; save the file in that encoding",
		`m.csv:7: "question" is empty; fill it in, or remove the row`,
		`m.csv:8: no "answer"; add one, or remove the row: only training rows may do without`,
		`m.csv:9: malformed CSV (extraneous or missing " in quoted-field); put cells with quotation marks, separators or line ends in quotation marks, and double those within`,
	}, faults)
	for text, want := range map[string]string{
		"":                                      "m.csv: holds no rows",
		"question,answer\n":                     "m.csv: holds no rows",
		"question,question,answer\n":            `m.csv:1: two columns are named "question"`,
		"path,qustion,answer\n1.png,a,b\n":      `m.csv:1: unknown column "qustion" (did you mean "question"?); rename or remove it`,
		"Image,Question,Answer\n1.png,a,b\n":    `m.csv:1: unknown column "Answer" (did you mean "answer"?), unknown column "Image" (did you mean "image"?), unknown column "Question" (did you mean "question"?); rename or remove them`,
		"path,answer\n1.png,a\n2.png,b\n":       `m.csv:1: no column "question" among path, answer; the first line must name the columns`,
		"img,question,answer\nx/1.png,a,b\n":    `m.csv:2: no row names a picture, but "img" is "x/1.png"; rename the key to "file_name"`,
		"path,question,answer\n1.png,,<pad>":    `m.csv:2: "question" is empty; fill it in, or remove the row; also the word <pad>`,
		"path,question,answer\na://b/1.png,a,b": `m.csv:2: file_name "a://b/1.png" is an address`,
		"path,question,answer\n1.png,a\x00,b\n": `m.csv:2: "a\x00" holds the character U+0000; take it out`,
		"question,answer\n<image> a,b\n":        "m.csv:2: the question holds <image>, a place for a picture, but the row has none",
		"path,question,answer\n/1.png,a,b\n":    `m.csv:2: file_name "/1.png" is absolute`,
		"path,question,answer\n1.png,a,<pad>":   "m.csv:2: the word <pad>",
		"q\x00u\x00e\x00s\x00t\x00i\x00o\x00n":  "m.csv: the file holds zero bytes",
	} {
		_, faults := readText(t, "m.csv", text, true)
		require.Len(t, faults, 1, text)
		assert.Contains(t, faults[0], want)
	}
}

// The form of LLaVA's data: a list of conversations, each about a picture, and those of chat templates.
func TestConversations(t *testing.T) {
	all, faults := readText(t, "m.json", `[
  {"id": "1", "image": "coco/1.jpg", "task": "t", "category": "c", "conversations": [
    {"from": "human", "value": "<image>\nWhat colour is it?"},
    {"from": "gpt", "value": "Red."},
    {"from": "human", "value": "Which shape?", "task": "shape"},
    {"from": "gpt", "value": "Round.", "answers": ["Round.", "a circle"]}]},
  {"image": ["2.jpg"], "answers": ["two", "2"], "conversations":
    [{"role": "user", "content": "How many?"}, {"role": "assistant", "content": "two"}]},
  {"question": "which", "image": "3.jpg", "answer": "seven"},
  {"image": "4.jpg", "conversations": [
    {"from": "human", "value": "And this?"}]}
]
`, false)
	require.Empty(t, faults)
	assert.Equal(t, []Row{
		{"What colour is it?", "t", "c", []string{"Red."}, File("coco/1.jpg"), "m.json:3"},
		{"Which shape?", "shape", "c", []string{"Round.", "a circle"}, File("coco/1.jpg"), "m.json:5"},
		{"How many?", "", "", []string{"two", "2"}, File("2.jpg"), "m.json:8"},
		{"which", "", "", []string{"seven"}, File("3.jpg"), "m.json:9"},
		{"And this?", "", "", nil, File("4.jpg"), "m.json:11"},
	}, all)

	lines, faults := readText(t, "m.jsonl", `{"image": "1.jpg", "conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}`, true)
	require.Empty(t, faults)
	assert.Equal(t, []Row{{"a", "", "", []string{"b"}, File("1.jpg"), "m.jsonl:1"}}, lines)
}

func TestFaultsOfConversations(t *testing.T) {
	all, faults := readText(t, "m.json", `[
{"image": "1.jpg", "conversations": []},
{"image": "1.jpg", "conversations": [
  {"from": "system", "value": "Be kind."},
  {"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]},
{"image": "1.jpg", "conversations": [
  {"from": "human", "value": "a"}, {"from": "gpt", "value": "b"},
  {"from": "gpt", "value": "c"}]},
{"image": "1.jpg", "conversations": [
  {"from": "human", "value": "What is this\n<image>"}, {"from": "gpt", "value": "b"},
  {"from": "human"}, {"from": "gpt", "value": "c"},
  {"from": "human", "value": "d"}]},
{"image": "1.jpg", "conversations": {"from": "human"}},
7,
{"image": "1.jpg", "catagory": "x", "conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]},
{"image": "1.jpg", "conversation": [{"from": "human", "value": "a"}]}]`, true)
	assert.Len(t, all, 1, "the first two turns before one that is at fault")
	want := []string{`m.json:2: "conversations" must be a list of turns`, `m.json:4: a turn is of "system"`, "m.json:8: an answer without a question before it",
		"m.json:10: the question holds <image> behind its beginning", `m.json:11: the turn has no "value"`, `m.json:12: no "answer"`,
		`m.json:13: "conversations" must be a list of turns`, "m.json:14: not a JSON object", `m.json:15: unknown key "catagory"`, `m.json:16: unknown key "conversation"`}
	require.Len(t, faults, len(want))
	for i, text := range want {
		assert.Contains(t, faults[i], text)
	}
	for text, want := range map[string]string{
		`{"image": "1.jpg"}`:                      "m.json:1: malformed JSON (not a list",
		"[\n{\"question\": \"a\"},\n{\"a\": ]\n]": "m.json:3: malformed JSON (invalid character ']' looking for beginning of value)",
		"[\n{\"question\": \"a\"}\n{}]":           "m.json:3: malformed JSON (a comma is missing before this)",
		"[\n{\"question\": \"a\"}\n{},\n{}]":      "m.json:3: malformed JSON (a comma is missing before this)",
		"[\n{\"question\": \"a\"},\n,\n{}]":       "m.json:3: malformed JSON (a comma without a value",
		"[\n{\"question\": \"a\"},\n]":            "m.json:3: malformed JSON (a comma without a value",
		"[\n{\"question\": \"a\"},\n":             "m.json:3: malformed JSON (the list does not end",
		"[{\"question\": \"a\"}]\n]":              "m.json:2: malformed JSON (there is more behind the end of the list)",
		"[]":                                      "m.json: holds no rows",
		`[{"img": "1.png", "conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}]`: `m.json:1: no row names a picture, but "img" is "1.png"; rename the key to "file_name"`,
		`[{"image": "1.png", "conversations": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]}]`: `m.json:1: "content" is a list of parts; write the text of its part alone`,
		"[{\"imag\": \"1.png\", \"question\": \"a\"}]":                                                          `m.json:1: unknown key "imag" (did you mean "image"?)`,
	} {
		_, faults := readText(t, "m.json", text, false)
		require.Len(t, faults, 1, text)
		assert.Contains(t, faults[0], want)
	}
}
