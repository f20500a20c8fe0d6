package data

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseMetadata(t *testing.T) {
	var bad faults
	rows := parseMetadata("m.jsonl", []byte(`{"file_name": "../images/1.png", "question": "which", "answer": "seven", "task": "t", "category": "c"}
`+"\r\n"+`{"file_name": "2.png", "question": "which", "answer": ["7", "seven"], "width": 8}
{"file_name": "3.png", "question": "which", "answer": null, "task": null}`), false, &bad)
	require.NoError(t, bad.err())
	assert.Equal(t, []row{
		{"../images/1.png", Question{"which", []string{"seven"}, "t", "c"}, 1},
		{"2.png", Question{"which", []string{"7", "seven"}, "", ""}, 3},
		{"3.png", Question{"which", nil, "", ""}, 4},
	}, rows)
}

func TestParseMetadataFaults(t *testing.T) {
	good := `{"file_name": "1.png", "question": "which", "answer": "seven"}`
	for _, c := range []struct{ row, want string }{
		{`{"file_name": "1.png"`, "malformed JSON"},
		{good + good, "malformed JSON"},
		{`["1.png"]`, "not a JSON object"},
		{`"1.png"`, "not a JSON object"},
		{"{\"file_name\": \"\xff\"}", "not UTF-8"},
		{`{"file_name": "", "question": "which", "answer": "seven"}`, `"file_name" is empty`},
		{`{"file_name": "1.png", "answer": "seven"}`, `no "question" among`},
		{`{"file_name": "1.png", "question": " ", "answer": "seven"}`, `"question" is empty`},
		{`{"file_name": "1.png", "question": 7, "answer": "seven"}`, `"question" must be a text, not 7`},
		{`{"file_name": "1.png", "question": "which", "answer": 7}`, `"answer" must be a text or a list of texts, not 7`},
		{`{"file_name": "1.png", "question": "which", "answer": ["a", 7]}`, `not ["a", 7]`},
		{`{"file_name": "1.png", "question": "which", "answer": ["a", null]}`, `not ["a", null]`},
		{`{"file_name": "1.png", "question": "which", "answer": ""}`, `"answer" holds an empty text`},
		{`{"file_name": "1.png", "question": "which", "anwser": "seven"}`, `unknown key "anwser" (did you mean "answer"?)`},
		{`{"FileName": "1.png", "question": "which", "answer": "seven"}`, `unknown key "FileName" (did you mean "file_name"?)`},
		{`{"file_name": "1.png", "question": "which", "answer": "seven", "catagory": "x"}`, `did you mean "category"?`},
		{`{"file_name": "1.png", "question": "which", "label": "seven"}`, `no "answer", but the unknown key "label"`},
		{`{"file_name": "1.png", "question": "which", "answer": "seven", "task": "overall"}`, `the task "overall"`},
		{`{"file_name": "1.png", "question": "which", "answer": "a <eos> b"}`, "the word <eos>"},
	} {
		var bad faults
		parseMetadata("m.jsonl", []byte(good+"\n\n"+c.row+"\n"), false, &bad)
		err := bad.err()
		require.Error(t, err, c.row)
		assert.ErrorContains(t, err, c.want)
		assert.ErrorContains(t, err, "data: m.jsonl:3: ")
		assert.NotContains(t, err.Error(), "\n")
	}
}

func TestAnswersAreNeededOutsideTraining(t *testing.T) {
	row := []byte(`{"file_name": "1.png", "question": "which"}`)
	var bad faults
	parseMetadata("m.jsonl", row, false, &bad)
	require.NoError(t, bad.err())
	parseMetadata("m.jsonl", row, true, &bad)
	assert.ErrorContains(t, bad.err(), `m.jsonl:1: no "answer"; add one`)
}

func TestManyFaultsAreCounted(t *testing.T) {
	var bad faults
	parseMetadata("m.jsonl", []byte(strings.Repeat("x\n", maxFaults+5)), false, &bad)
	lines := strings.Split(bad.err().Error(), "\n")
	assert.Len(t, lines, maxFaults+1)
	assert.Equal(t, "data: and 5 faults more", lines[maxFaults])
	assert.Equal(t, maxFaults+5, bad.count())
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"answer", "anwser", 2}, {"task", "tasks", 1}, {"kitten", "sitting", 3}} {
		assert.Equal(t, c.want, distance(c.a, c.b), fmt.Sprint(c))
	}
	assert.False(t, slip("mask", "task") && slip("id", "task"))
}
