package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"espalier/torch/textfile"
)

// The files of a tokenizer, as `save_pretrained` names them.
const (
	fileTokenizer = "tokenizer.json"
	fileConfig    = "tokenizer_config.json"
	fileSpecial   = "special_tokens_map.json"
)

// none is the id of a special token that a tokenizer does not have.
const none = -1

// specials are the texts of the tokens with a meaning to generation; "" where a file does not name one.
type specials struct{ eos, pad string }

// readSpecials looks into the two files that may name them; the first that does counts. It adds to files what
// it finds.
func readSpecials(folder string, files map[string][]byte) (specials, error) {
	var s specials
	for _, name := range []string{fileConfig, fileSpecial} {
		path := filepath.Join(folder, name)
		data, err := textfile.Read(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return s, fmt.Errorf("tokenizer: cannot read: %w", err)
		}
		var f struct {
			EOS namedToken `json:"eos_token"`
			Pad namedToken `json:"pad_token"`
		}
		if err := json.Unmarshal(data, &f); err != nil {
			return s, fmt.Errorf("tokenizer: %s: %w; save the tokenizer again", path, err)
		}
		files[name] = data
		if s.eos == "" {
			s.eos = string(f.EOS)
		}
		if s.pad == "" {
			s.pad = string(f.Pad)
		}
	}
	return s, nil
}

// namedToken is "</s>", {"content": "</s>", …} or null.
type namedToken string

func (t *namedToken) UnmarshalJSON(data []byte) error {
	var text *string
	if json.Unmarshal(data, &text) == nil {
		if text != nil {
			*t = namedToken(*text)
		}
		return nil
	}
	var object struct{ Content string }
	if err := json.Unmarshal(data, &object); err != nil {
		return fmt.Errorf("the token %s is neither a text nor an object with \"content\"", data)
	}
	*t = namedToken(object.Content)
	return nil
}

// choose sets the ids of the special tokens: those the files name, else the usual names. Where nothing pads,
// the end-of-sequence token does: what is masked may be any token.
func (t *Subword) choose(s specials) error {
	var err error
	if t.eos, err = t.named("eos_token", s.eos, "</s>", "<|endoftext|>", "<eos>", "[SEP]"); err != nil {
		return err
	}
	t.pad, err = t.named("pad_token", s.pad, "<pad>", "[PAD]")
	if t.pad == none {
		t.pad = t.eos
	}
	return err
}

func (t *Subword) named(field, name string, usual ...string) (int, error) {
	if name != "" {
		id, ok := t.ID(name)
		if !ok {
			return none, fmt.Errorf("%s is %q, which the tokenizer does not hold; save the tokenizer again", field, name)
		}
		return id, nil
	}
	for _, name := range usual {
		if id, ok := t.ID(name); ok {
			return id, nil
		}
	}
	return none, nil
}
