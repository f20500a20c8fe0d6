package rows

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// turn is a turn of a conversation, in LLaVA's words or in those of chat templates. Task, category and further accepted answers may
// stand in it, or around the conversation.
type turn struct {
	From    string          `json:"from"`
	Role    string          `json:"role"`
	Value   json.RawMessage `json:"value"`
	Content json.RawMessage `json:"content"`

	Answers  json.RawMessage `json:"answers"`
	Task     json.RawMessage `json:"task"`
	Category json.RawMessage `json:"category"`
}

// says tells whose turn it is, and its text.
func (t turn) says() (person bool, text json.RawMessage, err error) {
	who, text := t.From, t.Value
	if who == "" {
		who, text = t.Role, t.Content
	}
	switch who {
	case "human", "user":
		return true, text, nil
	case "gpt", "assistant":
		return false, text, nil
	}
	return false, nil, fmt.Errorf(`a turn is of %q; turns are "from" "human" and "gpt", or "role" "user" and "assistant": change or remove it`, who)
}

// conversation makes a row of each question and its answer. They are asked one by one: no turn sees those before it. offsets are those of
// the turns.
func (r *reader) conversation(f fields, offsets []int, at func(offset int) string, picture Picture) {
	var turns []turn
	if err := json.Unmarshal(f[turnsKey], &turns); err != nil || len(turns) == 0 {
		r.fault(at(0), `%q must be a list of turns, as [{"from": "human", "value": "…"}, {"from": "gpt", "value": "…"}]`, turnsKey)
		return
	}
	if _, err := f.unknown(); err != nil {
		r.fault(at(0), "%v", err)
		return
	}
	if name, err := f.picture(); picture == nil && name == "" && err == nil {
		r.seekPicture(at(0), f)
	}
	place := func(i int) string {
		if i < len(offsets) {
			return at(offsets[i])
		}
		return at(0)
	}
	for i := 0; i < len(turns); i++ {
		person, question, err := turns[i].says()
		if err == nil && !person {
			err = fmt.Errorf("an answer without a question before it; add the question, or remove the turn")
		}
		if err != nil {
			r.fault(place(i), "%v", err)
			return
		}
		asked := fields{"question": question}
		for _, key := range append([]string{"task", "category"}, pictureKeys...) {
			asked.set(key, f[key])
		}
		asked.set("task", turns[i].Task)
		asked.set("category", turns[i].Category)
		asked.set("answers", turns[i].Answers)
		here, key := place(i), "value"
		if turns[i].From == "" {
			key = "content"
		}
		if i+1 < len(turns) {
			if person, answer, err := turns[i+1].says(); err == nil && !person {
				i++
				asked.set("answer", answer)
				asked.set("answers", turns[i].Answers)
			}
		}
		if len(turns) <= 2 { // what stands around them is of the only question
			asked.set("answers", f["answers"])
		}
		if absent(question) {
			r.fault(here, "the turn has no %q; add it, or remove the turn and its answer", key)
			continue
		}
		if question[0] == '[' {
			r.fault(here, "%q is a list of parts; write the text of its part alone, and name the picture beside the conversation", key)
			continue
		}
		r.add(here, asked, picture)
	}
}

func (f fields) set(key string, raw json.RawMessage) {
	if !absent(raw) {
		f[key] = raw
	}
}

// offsetsIn are the offsets of the elements of a list within an object.
func offsetsIn(object []byte, key string) (offsets []int) {
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		return nil
	}
	for d.More() {
		name, err := d.Token()
		var raw json.RawMessage
		if err != nil || d.Decode(&raw) != nil {
			return nil
		}
		if name == key {
			begin := int(d.InputOffset()) - len(raw)
			offsets = nil // the last of two counts, as everywhere in JSON
			_, _ = elements(raw, func(_ []byte, offset int) { offsets = append(offsets, begin+offset) })
		}
	}
	return offsets
}
