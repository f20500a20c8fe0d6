package serve

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// onlyQuestion says what a conversation is here.
const onlyQuestion = "the networks answer one question, which their own prompt frames; send one message of the role user with all of it"

// readMessages takes the question and its picture from the messages.
func (r *request) readMessages(value json.RawMessage) *apiError {
	var messages []json.RawMessage
	if json.Unmarshal(value, &messages) != nil {
		return refuseField("messages", "invalid_type", "want a list of messages, got %s", short(value))
	}
	asked := false
	for i, message := range messages {
		at := fmt.Sprintf("messages[%d]", i)
		role, content := "", json.RawMessage("null")
		err := eachField(at, message, func(name string, v json.RawMessage) *apiError {
			switch name {
			case at + ".role":
				if json.Unmarshal(v, &role) != nil {
					return refuseField(name, "invalid_type", "want a text, got %s", short(v))
				}
			case at + ".content":
				content = v
			case at + ".name", at + ".refusal":
			default:
				return unknownField(name)
			}
			return nil
		})
		if err != nil {
			return err
		}
		switch role {
		case "user":
			if asked {
				return refuseField(at, "unsupported_value", "it is a second question; "+onlyQuestion)
			}
			asked = true
			if err := r.readContent(at+".content", content); err != nil {
				return err
			}
		case "system", "developer", "assistant", "tool", "function":
			if !blank(content) {
				return refuseField(at, "unsupported_value", "the role %s is not read; %s", role, onlyQuestion)
			}
		default:
			return refuseField(at+".role", "invalid_value", "want user, got %s", short([]byte(role)))
		}
	}
	if !asked {
		return refuseField("messages", "invalid_value", "there is no question in them; "+onlyQuestion)
	}
	if strings.TrimSpace(r.question) == "" {
		return refuseField("messages", "invalid_value", `the question is empty; add a part {"type": "text", "text": "…"}`)
	}
	return nil
}

// blank tells whether a message says nothing.
func blank(content json.RawMessage) bool {
	var text string
	var parts []json.RawMessage
	return json.Unmarshal(content, &text) == nil && strings.TrimSpace(text) == "" || json.Unmarshal(content, &parts) == nil && len(parts) == 0
}

// readContent reads a text, or parts: texts, which are joined by line ends, and at most one picture among them.
func (r *request) readContent(at string, content json.RawMessage) *apiError {
	if json.Unmarshal(content, &r.question) == nil && string(content) != "null" {
		return nil
	}
	var parts []json.RawMessage
	if json.Unmarshal(content, &parts) != nil || string(content) == "null" {
		return refuseField(at, "invalid_type", "want a text or a list of parts, got %s", short(content))
	}
	var texts []string
	for i, part := range parts {
		at := fmt.Sprintf("%s[%d]", at, i)
		kind, values := "", map[string]json.RawMessage{}
		if err := eachField(at, part, func(name string, v json.RawMessage) *apiError {
			values[strings.TrimPrefix(name, at+".")] = v
			return nil
		}); err != nil {
			return err
		}
		_ = json.Unmarshal(values["type"], &kind) // what is no text is no kind either
		if kind != "text" && kind != "image_url" {
			return refuseField(at+".type", "invalid_value", "want text or image_url, got %s", short(values["type"]))
		}
		for _, name := range slices.Sorted(maps.Keys(values)) {
			if name != "type" && name != kind {
				return unknownField(at + "." + name)
			}
		}
		if kind == "image_url" {
			if err := r.readPicture(at+".image_url", values[kind]); err != nil {
				return err
			}
			continue
		}
		var text string
		if json.Unmarshal(values[kind], &text) != nil {
			return refuseField(at+".text", "invalid_type", "want a text, got %s", short(values[kind]))
		}
		texts = append(texts, text)
	}
	r.question = strings.Join(texts, "\n")
	return nil
}

func (r *request) readPicture(at string, value json.RawMessage) *apiError {
	if r.picture != "" {
		return refuseField(at, "unsupported_value", "it is a second picture; a question is about one")
	}
	err := eachField(at, value, func(name string, v json.RawMessage) *apiError {
		switch name {
		case at + ".url":
			if json.Unmarshal(v, &r.picture) != nil {
				return refuseField(name, "invalid_type", "want a text, got %s", short(v))
			}
		case at + ".detail": // pictures have one size here
		default:
			return unknownField(name)
		}
		return nil
	})
	if err == nil && r.picture == "" {
		err = refuseField(at+".url", "missing_required_parameter", "it is missing; give data:image/png;base64,…")
	}
	r.place = at + ".url"
	return err
}
