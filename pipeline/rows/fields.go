package rows

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"espalier/model/tokenizer"
)

// maxRow is the most bytes of a row's texts.
const maxRow = 1 << 20

// fields are what a file says of one question, by name, in whatever form it says it.
type fields map[string]json.RawMessage

// parseFields reads a JSON object.
func parseFields(text []byte) (f fields, err error) {
	if !utf8.Valid(text) {
		return nil, errors.New("not UTF-8; save the file in that encoding")
	}
	if err := json.Unmarshal(text, &f); err != nil {
		if _, wrong := err.(*json.UnmarshalTypeError); wrong {
			return nil, errors.New(`not a JSON object; write {"file_name": "1.png", "question": "…", "answer": "…"}`)
		}
		if bytes.Contains(text, []byte("NaN")) && err.Error() == "invalid character 'N' looking for beginning of value" {
			return nil, errors.New("NaN is no JSON; write null where there is no value")
		}
		return nil, fmt.Errorf("malformed JSON (%v); mend it; in a .jsonl file each line is an object of its own", err)
	}
	return f, nil
}

// row is the question, and the name of its picture. The error tells of all that is wrong with it.
func (f fields) row(needAnswers bool) (r Row, picture string, err error) {
	if _, err := f.unknown(); err != nil { // a slip explains what is missing
		return r, "", err
	}
	var bad said
	picture, err = f.picture()
	bad.add(err)
	for _, text := range []struct {
		key      string
		to       *string
		required bool
	}{{"question", &r.Question, true}, {"task", &r.Task, false}, {"category", &r.Category, false}} {
		bad.add(f.text(text.key, text.required, text.to))
	}
	r.Answers, err = f.answers()
	bad.add(err)
	if err == nil && len(r.Answers) == 0 && needAnswers {
		bad.add(errors.New(`no "answer"; add one, or remove the row: only training rows may do without`))
	}
	ends := strings.NewReplacer("\r\n", "\n") // as in CSV cells
	r.Question = ends.Replace(r.Question)
	for i, a := range r.Answers {
		r.Answers[i] = ends.Replace(a)
	}
	bad.add(r.check())
	return r, picture, bad.err()
}

// said is what is wrong with a row.
type said []error

func (t *said) add(err error) { *t = append(*t, err) }

// err is all of it in a line, or nil.
func (t said) err() error {
	var texts []string
	for _, err := range t {
		if err != nil {
			texts = append(texts, err.Error())
		}
	}
	if len(texts) == 0 {
		return nil
	}
	return errors.New(strings.Join(texts, "; also "))
}

// picture is the name of the picture's file, under any of its keys; empty where there is none.
func (f fields) picture() (name string, err error) {
	for _, key := range pictureKeys {
		raw := f[key]
		if absent(raw) {
			continue
		}
		if raw[0] == '[' { // LLaVA's data may list pictures
			var names []json.RawMessage
			if err := json.Unmarshal(raw, &names); err != nil || len(names) != 1 {
				return "", fmt.Errorf("%q lists %d pictures; a question is about one: keep one, or remove the row", key, len(names))
			}
			f = fields{key: names[0]}
		}
		return name, f.text(key, true, &name)
	}
	return "", nil
}

// text reads an optional or required text. null counts as absent, as in data sets that were tables once.
func (f fields) text(key string, required bool, to *string) error {
	raw := f[key]
	if absent(raw) {
		if required {
			return fmt.Errorf("no %q among the keys %s; add it", key, strings.Join(slices.Sorted(maps.Keys(f)), ", "))
		}
		return nil
	}
	if err := json.Unmarshal(raw, to); err != nil {
		return fmt.Errorf("%q must be a text, not %s; put it in quotation marks", key, raw)
	}
	if required && strings.TrimSpace(*to) == "" {
		return fmt.Errorf("%q is empty; fill it in, or remove the row", key)
	}
	return nil
}

func absent(raw json.RawMessage) bool { return raw == nil || string(raw) == "null" }

// answers are those of "answer" and "answers" together: what "answer" says comes first, and counts once where the list has it too. Ten
// people's answers keep their number, which VQA accuracy needs.
func (f fields) answers() ([]string, error) {
	first, err := answers("answer", f["answer"])
	if err != nil {
		return nil, err
	}
	list, err := answers("answers", f["answers"])
	if err != nil {
		return nil, err
	}
	for _, a := range first {
		if at := slices.Index(list, a); at >= 0 {
			list = slices.Delete(list, at, at+1)
		}
	}
	return append(first, list...), nil
}

// answers reads a text, or a list of texts or of VQA's objects, as {"answer": "red", "answer_confidence": "yes"}. A table may hold the list
// as a text.
func answers(key string, raw json.RawMessage) ([]string, error) {
	if absent(raw) {
		return nil, nil
	}
	raw, err := listed(key, raw)
	if err != nil {
		return nil, err
	}
	items := []json.RawMessage{raw}
	if raw[0] == '[' {
		items = nil
		if err := json.Unmarshal(raw, &items); err != nil {
			return nil, err
		}
	}
	var list []string
	for _, item := range items {
		var said struct{ Answer *string }
		var err error
		if item[0] == '{' && raw[0] == '[' {
			err = json.Unmarshal(item, &said)
		} else {
			err = json.Unmarshal(item, &said.Answer)
		}
		if err != nil || said.Answer == nil { // null is no empty answer
			return nil, fmt.Errorf("%q must be a text or a list of texts, not %s; put each in quotation marks", key, raw)
		}
		if strings.TrimSpace(*said.Answer) == "" {
			return nil, fmt.Errorf("%q holds an empty text; fill it in, or leave the key out", key)
		}
		list = append(list, *said.Answer)
	}
	return list, nil
}

// listed is a JSON list that stands in a text. What else a text holds stays; but "answers" are never one that begins as a list does.
func listed(key string, raw json.RawMessage) (json.RawMessage, error) {
	var text string
	if json.Unmarshal(raw, &text) != nil || !strings.HasPrefix(strings.TrimSpace(text), "[") {
		return raw, nil
	}
	var items []any
	err := json.Unmarshal([]byte(text), &items)
	if key == "answers" && err != nil {
		return nil, errors.New(`"answers" begins with [ but is no JSON list; write ["red", "dark red"]`)
	}
	texts := err == nil && len(items) > 0 && !slices.ContainsFunc(items, func(item any) bool { _, is := item.(string); return !is })
	if key == "answers" || texts {
		return json.RawMessage(strings.TrimSpace(text)), nil
	}
	return raw, nil
}

// check refuses what would mean something else further on.
func (r Row) check() error {
	if r.Task == "overall" {
		return errors.New(`the task "overall" would be mixed up with the accuracy over all tasks; give it another name`)
	}
	for _, text := range append([]string{r.Question}, r.Answers...) {
		if strings.ContainsRune(text, 0) {
			return fmt.Errorf("%q holds the character U+0000; take it out", text)
		}
		for w := range strings.FieldsSeq(text) {
			if w == tokenizer.PadWord || w == tokenizer.EOSWord || w == tokenizer.UnkWord {
				return fmt.Errorf("the word %s has a special meaning to the tokenizer; change the text", w)
			}
		}
	}
	for _, a := range r.Answers {
		if strings.Contains(a, tokenizer.ImageWord) {
			return fmt.Errorf("the answer %q holds %s, which stands for a picture; take it out", a, tokenizer.ImageWord)
		}
	}
	return nil
}
