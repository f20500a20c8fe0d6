package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// Keep is the tokenizer with some of its ids alone, in ascending order, that now count from 0. Where they hold what [Needs]
// names, a text of kept tokens encodes to the same tokens as before, and any other text to other ones. An id for which there is
// no token takes its place in the count.
func Keep(t Tokenizer, ids []int) (Tokenizer, error) {
	to := make(map[int]int, len(ids))
	for i, id := range ids {
		to[id] = i
	}
	var kept Tokenizer
	var err error
	switch t := t.(type) {
	case *WordLevel:
		var words []string
		for _, id := range ids {
			if id < len(t.words) {
				words = append(words, t.words[id])
			}
		}
		kept, err = NewWordLevel(words)
	case *Subword:
		kept, err = t.keep(ids, to)
	default:
		err = fmt.Errorf("a vocabulary of %T cannot be cut", t)
	}
	if err != nil {
		return nil, fmt.Errorf("tokenizer: cut to %d tokens: %w", len(ids), err)
	}
	return kept, nil
}

// keep writes the files anew and reads them back: what is saved is what is used.
func (t *Subword) keep(ids []int, to map[int]int) (*Subword, error) {
	if m, ok := t.model.(*bpe); ok && text(m.f.Prefix)+text(m.f.Suffix) != "" {
		return nil, fmt.Errorf("byte-pair encoding that marks the inside or the end of words is not cut")
	}
	files := maps.Clone(t.files)
	var err error
	if files[fileTokenizer], err = renumbered(files[fileTokenizer], to); err != nil {
		return nil, err
	}
	if data, ok := files[fileConfig]; ok {
		if files[fileConfig], err = renumberedConfig(data, to); err != nil {
			return nil, err
		}
	}
	out, err := parseSubword(files[fileTokenizer])
	if err != nil {
		return nil, err
	}
	out.files, out.eos, out.pad = files, mapped(to, t.eos), mapped(to, t.pad)
	for i, id := range ids {
		before, known := t.text(id)
		after, stays := out.text(i)
		if known != stays || before != after {
			return nil, fmt.Errorf("the token %d, %q, would be the token %d, %q", id, before, i, after)
		}
	}
	return out, nil
}

// text is the text of one token, special or not.
func (t *Subword) text(id int) (string, bool) {
	if token, ok := t.added.tokens[id]; ok {
		return token.Content, true
	}
	return t.model.token(id)
}

func mapped(to map[int]int, id int) int {
	if n, ok := to[id]; ok {
		return n
	}
	return none
}

// object is a table of a JSON file of which some keys are changed.
type object map[string]json.RawMessage

// change replaces the value of a key, where the table has one, by what f makes of it.
func change[In, Out any](o object, key string, f func(In) (Out, error)) error {
	if isNull(o[key]) {
		return nil
	}
	var in In
	if err := json.Unmarshal(o[key], &in); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	out, err := f(in)
	if err == nil {
		o[key], err = written(out)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

// written is JSON with < and > as they are: people read these files.
func written(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return out.Bytes(), err
}

// renumbered is a tokenizer.json with the kept ids alone.
func renumbered(data []byte, to map[int]int) ([]byte, error) {
	var file object
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, err
	}
	id := func(old int) (int, error) {
		if n, ok := to[old]; ok {
			return n, nil
		}
		return 0, fmt.Errorf("the token %d is needed, and is not kept", old)
	}
	err := change(file, "added_tokens", func(list []object) ([]object, error) {
		for _, token := range list {
			if err := change(token, "id", id); err != nil {
				return nil, err
			}
		}
		return list, nil
	})
	if err != nil {
		return nil, err
	}
	// Its pad_id may now be another token's, and no reader keeps to it.
	if err := change(file, "padding", func(any) (any, error) { return nil, nil }); err != nil {
		return nil, err
	}
	if err := change(file, "post_processor", func(p object) (object, error) { return p, renumberProcessor(p, id) }); err != nil {
		return nil, err
	}
	if err := change(file, "model", func(m object) (object, error) { return m, renumberModel(m, to, id) }); err != nil {
		return nil, err
	}
	return written(file)
}

// renumberProcessor changes the ids that a post_processor puts around a text.
func renumberProcessor(p object, id func(int) (int, error)) error {
	err := change(p, "processors", func(all []object) ([]object, error) {
		for _, one := range all {
			if err := renumberProcessor(one, id); err != nil {
				return nil, err
			}
		}
		return all, nil
	})
	if err != nil {
		return err
	}
	for _, key := range []string{"cls", "sep"} { // ["token", id]
		err := change(p, key, func(two []any) ([]any, error) {
			n, err := id(int(two[1].(float64))) // the reader has checked the form
			return []any{two[0], n}, err
		})
		if err != nil {
			return err
		}
	}
	return change(p, "special_tokens", func(all map[string]object) (map[string]object, error) {
		for _, token := range all {
			err := change(token, "ids", func(ids []int) (out []int, err error) {
				for _, old := range ids {
					n, err := id(old)
					if err != nil {
						return nil, err
					}
					out = append(out, n)
				}
				return out, nil
			})
			if err != nil {
				return nil, err
			}
		}
		return all, nil
	})
}

// renumberModel leaves the kept tokens, and the merges of which parts and whole are kept.
func renumberModel(m object, to map[int]int, id func(int) (int, error)) error {
	if err := change(m, "unk_id", id); err != nil {
		return err
	}
	stays := map[string]bool{}
	err := change(m, "vocab", func(vocab json.RawMessage) (any, error) {
		var list []json.RawMessage // of Unigram, ["token", score]
		if json.Unmarshal(vocab, &list) == nil {
			kept := make([]json.RawMessage, 0, len(to))
			for old, token := range list {
				if _, ok := to[old]; ok {
					kept = append(kept, token)
				}
			}
			return kept, nil
		}
		var ids map[string]int
		if err := json.Unmarshal(vocab, &ids); err != nil {
			return nil, err
		}
		kept := map[string]int{}
		for token, old := range ids {
			if n, ok := to[old]; ok {
				kept[token], stays[token] = n, true
			}
		}
		return kept, nil
	})
	if err != nil {
		return err
	}
	return change(m, "merges", func(merges []json.RawMessage) ([]json.RawMessage, error) {
		kept := []json.RawMessage{}
		for _, one := range merges {
			pairs, err := readMerges(append(append([]byte("["), one...), ']'))
			if err != nil {
				return nil, err
			}
			// A line with the version makes no pair.
			if len(pairs) == 0 || stays[pairs[0][0]] && stays[pairs[0][1]] && stays[strings.Join(pairs[0][:], "")] {
				kept = append(kept, one)
			}
		}
		return kept, nil
	})
}

// renumberedConfig is a tokenizer_config.json whose added_tokens_decoder lists the kept ids.
func renumberedConfig(data []byte, to map[int]int) ([]byte, error) {
	var file object
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, err
	}
	err := change(file, "added_tokens_decoder", func(tokens object) (object, error) {
		out := object{}
		for key, token := range tokens {
			old, err := strconv.Atoi(key)
			if err != nil {
				return nil, err
			}
			if n, ok := to[old]; ok {
				out[strconv.Itoa(n)] = token
			}
		}
		return out, nil
	})
	if err != nil {
		return nil, err
	}
	return written(file)
}
