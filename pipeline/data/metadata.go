package data

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"espalier/model/tokenizer"
)

// row is one line of a metadata.jsonl: one question about one picture.
type row struct {
	file     string // as written: relative to the split's folder; empty: the question is about no picture
	question Question
	line     int // from 1
}

// maxLine is the most bytes of a row.
const maxLine = 1 << 20

// parseMetadata reads the lines of a metadata.jsonl. path is for errors; needAnswers: a row without an answer is
// a fault.
func parseMetadata(path string, data []byte, needAnswers bool, bad *faults) []row {
	var rows []row
	line := 0
	if bytes.IndexByte(data[:min(len(data), 4)], 0) >= 0 {
		bad.add(path, "the file holds zero bytes, as UTF-16 without its mark does; save it as UTF-8")
		return nil
	}
	for text := range bytes.Lines(data) {
		line++
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		if len(text) > maxLine {
			bad.row(fmt.Sprintf("%s:%d", path, line), "the line has %d bytes, at most %d are read; is this one question?", len(text), maxLine)
			continue
		}
		r, err := parseRow(text, needAnswers)
		if err != nil {
			bad.row(fmt.Sprintf("%s:%d", path, line), "%v", err)
			continue
		}
		r.line = line
		rows = append(rows, r)
	}
	return rows
}

func parseRow(text []byte, needAnswers bool) (row, error) {
	if !utf8.Valid(text) {
		return row{}, fmt.Errorf("not UTF-8; save the file in that encoding")
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		if _, wrong := err.(*json.UnmarshalTypeError); wrong {
			return row{}, fmt.Errorf(`not a JSON object; write {"file_name": "1.png", "question": "…", "answer": "…"}`)
		}
		return row{}, fmt.Errorf("malformed JSON (%v); write one object a line", err)
	}
	unknown, err := unknownKeys(fields)
	if err != nil {
		return row{}, err
	}
	r := row{}
	for _, f := range []struct {
		key      string
		to       *string
		required bool
	}{
		{"file_name", &r.file, !absent(fields["file_name"])}, {"question", &r.question.Text, true},
		{"task", &r.question.Task, false}, {"category", &r.question.Category, false},
	} {
		if err := stringField(fields, f.key, f.required, f.to); err != nil {
			return row{}, err
		}
	}
	if r.question.Answers, err = answers(fields["answer"]); err != nil {
		return row{}, err
	}
	if len(r.question.Answers) == 0 {
		if needAnswers {
			return row{}, fmt.Errorf(`no "answer"; add one, or remove the line: only training rows may do without`)
		}
		if len(unknown) > 0 { // most likely the answer under another name: never drop labels in silence
			return row{}, fmt.Errorf(`no "answer", but the unknown key %q; rename it to "answer" if it is that, else remove it`, unknown[0])
		}
	}
	return r, r.question.check()
}

// stringField reads an optional or required text. null counts as absent, as in data sets that were tables once.
func stringField(fields map[string]json.RawMessage, key string, required bool, to *string) error {
	raw := fields[key]
	if absent(raw) {
		if required {
			return fmt.Errorf("no %q among the keys %s; add it", key, strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
		}
		return nil
	}
	if err := json.Unmarshal(raw, to); err != nil {
		return fmt.Errorf("%q must be a text, not %s; put it in quotation marks", key, raw)
	}
	if required && strings.TrimSpace(*to) == "" {
		return fmt.Errorf("%q is empty; fill it in, or remove the line", key)
	}
	return nil
}

func absent(raw json.RawMessage) bool { return raw == nil || string(raw) == "null" }

// answers reads a text or a list of texts.
func answers(raw json.RawMessage) ([]string, error) {
	if absent(raw) {
		return nil, nil
	}
	var list []string
	if raw[0] == '[' {
		var items []*string // a null inside a list is not an empty answer
		if err := json.Unmarshal(raw, &items); err != nil || slices.Contains(items, nil) {
			return nil, fmt.Errorf(`"answer" must be a text or a list of texts, not %s; put each in quotation marks`, raw)
		}
		for _, a := range items {
			list = append(list, *a)
		}
	} else {
		var one string
		if err := json.Unmarshal(raw, &one); err != nil {
			return nil, fmt.Errorf(`"answer" must be a text or a list of texts, not %s; put it in quotation marks`, raw)
		}
		list = []string{one}
	}
	for _, a := range list {
		if strings.TrimSpace(a) == "" {
			return nil, fmt.Errorf(`"answer" holds an empty text; fill it in, or leave the key out`)
		}
	}
	return list, nil
}

// check refuses what would mean something else further on.
func (q Question) check() error {
	if q.Task == "overall" {
		return fmt.Errorf(`the task "overall" would be mixed up with the accuracy over all tasks; give it another name`)
	}
	for _, text := range append([]string{q.Text}, q.Answers...) {
		for w := range strings.FieldsSeq(text) {
			if w == tokenizer.PadWord || w == tokenizer.EOSWord || w == tokenizer.UnkWord {
				return fmt.Errorf("the word %s has a special meaning to the tokenizer; change the text", w)
			}
		}
	}
	return nil
}
