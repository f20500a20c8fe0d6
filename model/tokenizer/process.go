package tokenizer

import (
	"encoding/json"
	"fmt"
)

// A processor puts special tokens around the ids of a text; with special false it leaves them out, but a
// template repeats or drops the text all the same.
type processor func(ids []int, special bool) []int

// readProcessor gives nil where the file has none.
func readProcessor(data json.RawMessage, nesting int) (processor, error) {
	if isNull(data) {
		return nil, nil
	}
	p, err := readPart("post_processor", data)
	if err != nil {
		return nil, err
	}
	switch p.Type {
	case "Sequence":
		return readProcessors(p, nesting)
	case "ByteLevel": // changes offsets alone
		_, err := readByteLevel(p)
		return nil, err
	case "TemplateProcessing":
		return readTemplate(p)
	case "BertProcessing", "RobertaProcessing":
		return readPairProcessing(p)
	}
	return nil, p.unknown()
}

func readProcessors(p part, nesting int) (processor, error) {
	parts, err := p.sequence("processors", nesting)
	if err != nil {
		return nil, err
	}
	var all []processor
	for _, data := range parts {
		one, err := readProcessor(data, nesting+1)
		if err != nil {
			return nil, err
		}
		if one != nil {
			all = append(all, one)
		}
	}
	return func(ids []int, special bool) []int {
		for _, one := range all {
			ids = one(ids, special)
		}
		return ids
	}, nil
}

// readPairProcessing reads the forms with a fixed start and end, each ["token", id].
func readPairProcessing(p part) (processor, error) {
	var f struct {
		Type     string
		Sep, Cls json.RawMessage
		Trim     bool `json:"trim_offsets"`     // of RobertaProcessing, of no effect on ids
		Prefix   bool `json:"add_prefix_space"` // the same
	}
	if err := p.read(&f); err != nil {
		return nil, err
	}
	cls, err := tokenAndID(p, "cls", f.Cls)
	if err != nil {
		return nil, err
	}
	sep, err := tokenAndID(p, "sep", f.Sep)
	if err != nil {
		return nil, err
	}
	return func(ids []int, special bool) []int {
		if !special {
			return ids
		}
		return append(append([]int{cls}, ids...), sep)
	}, nil
}

func tokenAndID(p part, field string, data json.RawMessage) (int, error) {
	var two []json.RawMessage
	var token string
	var id uint32
	if json.Unmarshal(data, &two) != nil || len(two) != 2 || json.Unmarshal(two[0], &token) != nil || json.Unmarshal(two[1], &id) != nil {
		return 0, fmt.Errorf("%s %s: %s is %s, want [\"token\", id]; save the tokenizer again", p.kind, p.Type, field, data)
	}
	return int(id), nil
}

// piece is a place in a template: the text, or ids of special tokens.
type piece struct {
	text bool
	ids  []int
}

// readTemplate reads the template of a single text; that of a pair of texts is of no use here.
func readTemplate(p part) (processor, error) {
	type place struct {
		ID   string
		Type int `json:"type_id"`
	}
	var f struct {
		Type   string
		Single []struct{ Sequence, SpecialToken *place }
		Pair   json.RawMessage
		Tokens map[string]struct {
			ID     string
			IDs    []uint32
			Tokens []string
		} `json:"special_tokens"`
	}
	if err := p.read(&f); err != nil {
		return nil, err
	}
	if len(f.Single) > maxParts {
		return nil, fmt.Errorf("post_processor TemplateProcessing: single has %d pieces, at most %d are read", len(f.Single), maxParts)
	}
	var pieces []piece
	for i, one := range f.Single {
		switch {
		case one.Sequence != nil && one.SpecialToken == nil && one.Sequence.ID == "A":
			pieces = append(pieces, piece{text: true})
		case one.SpecialToken != nil && one.Sequence == nil:
			token, known := f.Tokens[one.SpecialToken.ID]
			if !known {
				return nil, fmt.Errorf("post_processor TemplateProcessing: the token %q is not among its special_tokens; save the tokenizer again", one.SpecialToken.ID)
			}
			var ids []int
			for _, id := range token.IDs {
				ids = append(ids, int(id))
			}
			pieces = append(pieces, piece{ids: ids})
		default:
			return nil, fmt.Errorf("post_processor TemplateProcessing: piece %d of single is neither the sequence A nor a special token", i)
		}
	}
	return func(ids []int, special bool) []int {
		var out []int
		for _, one := range pieces {
			switch {
			case one.text:
				out = append(out, ids...)
			case special:
				out = append(out, one.ids...)
			}
		}
		return out
	}, nil
}
