package tokenizer

import (
	"encoding/json"
	"espalier/torch/disk"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// Subword is a tokenizer of a Hugging Face checkpoint. Text passes through added tokens, normalizer,
// pre_tokenizer, model and post_processor, in this order; ids through the decoder. Goroutines may share it once
// SetSpecial has been called.
type Subword struct {
	added     *addedTokens
	normalize normalizer // nil: text stays as it is
	split     splitter   // nil: all of a span is one word
	model     model
	process   processor // nil: no special tokens
	decode    decoder   // nil: tokens are joined with spaces
	size      int
	eos, pad  int
	files     map[string][]byte // as read, for SaveTo
}

var _ Tokenizer = (*Subword)(nil)

// subwordJSON is a tokenizer.json; each part is read by its own type.
type subwordJSON struct {
	Version string `json:"version"`
	// Not read: a tokenizer of transformers sets both anew at each call, by default to none. BLIP-2's processor cuts a text to this length less the
	// queries; here a text that is too long for the network is a fault, and no other is cut.
	Truncation    json.RawMessage `json:"truncation"`
	Padding       json.RawMessage `json:"padding"`
	AddedTokens   []addedToken    `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`
	Model         json.RawMessage `json:"model"`
}

// parseSubword reads the bytes of a tokenizer.json.
func parseSubword(data []byte) (*Subword, error) {
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("not UTF-8; save the tokenizer again")
	}
	var f subwordJSON
	if err := strict(data, &f); err != nil {
		return nil, fmt.Errorf("not a tokenizer.json: %w; save the tokenizer again", err)
	}
	if f.Version != "" && f.Version != "1.0" {
		return nil, fmt.Errorf("version %q is not computed here, want \"1.0\"", f.Version)
	}
	t := &Subword{eos: none, pad: none}
	var err error
	if t.normalize, err = readNormalizer(f.Normalizer, 0); err != nil {
		return nil, err
	}
	if t.split, err = readSplitter(f.PreTokenizer, 0); err != nil {
		return nil, err
	}
	if t.process, err = readProcessor(f.PostProcessor, 0); err != nil {
		return nil, err
	}
	if t.decode, err = readDecoder(f.Decoder, 0); err != nil {
		return nil, err
	}
	if t.model, err = readModel(f.Model); err != nil {
		return nil, err
	}
	if t.added, err = newAddedTokens(f.AddedTokens, t.model, t.normalize); err != nil {
		return nil, err
	}
	t.size = t.model.top() + 1
	for id := range t.added.tokens {
		t.size = max(t.size, id+1)
	}
	return t, nil
}

// Encode gives the ids of the text's tokens, without those that the post-processor adds. A text that is not
// UTF-8, or that the vocabulary can neither spell nor call unknown, is an error.
func (t *Subword) Encode(text string) ([]int, error) { return t.encode(text, false) }

// EncodePrompt gives the ids with those that the post-processor adds: `<s>`, `</s>`, `[CLS]` and the like.
func (t *Subword) EncodePrompt(text string) ([]int, error) { return t.encode(text, true) }

func (t *Subword) encode(text string, special bool) ([]int, error) {
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("tokenizer: the text %q is not UTF-8; repair its encoding", text)
	}
	spans, err := t.added.split(text, t.normalize)
	if err != nil {
		return nil, err
	}
	var ids []int
	for _, s := range spans {
		if s.id >= 0 {
			ids = append(ids, s.id)
			continue
		}
		words := []span{s}
		if t.split != nil {
			words = t.split(s)
		}
		for _, w := range words {
			more, err := t.model.encode(w.text)
			if err != nil {
				return nil, err
			}
			ids = append(ids, more...)
		}
	}
	if t.process != nil {
		ids = t.process(ids, special)
	}
	return ids, nil
}

// Decode gives the text of the ids without special tokens, as `tokenizers` decodes with skip_special_tokens: it is the network's
// ends that end an answer. An id that stands for no token is passed over.
func (t *Subword) Decode(ids []int) string {
	var tokens []string
	for _, id := range ids {
		token, ok := t.added.texts[id]
		if !ok {
			token, ok = t.model.token(id)
		}
		if ok && !t.added.special[token] {
			tokens = append(tokens, token)
		}
	}
	if t.decode == nil {
		return strings.Join(tokens, " ")
	}
	return strings.Join(t.decode(tokens), "")
}

// ID is the id of a token, added or of the model.
func (t *Subword) ID(token string) (int, bool) {
	for id, a := range t.added.tokens {
		if a.Content == token {
			return id, true
		}
	}
	return t.model.id(token)
}

// Size is the greatest id + 1, added tokens included. Ids may have gaps.
func (t *Subword) Size() int { return t.size }

// Pad is the id that fills rows: pad_token, or the end-of-sequence token where there is none, or -1.
func (t *Subword) Pad() int { return t.pad }

// EOS is the id that ends a sequence, or -1 where the files name none.
func (t *Subword) EOS() int { return t.eos }

// SetSpecial sets the end-of-sequence and padding ids, as a model's config.json gives them. A negative id
// leaves the one that is there.
func (t *Subword) SetSpecial(eos, pad int) {
	if eos >= 0 {
		t.eos = eos
	}
	if pad >= 0 {
		t.pad = pad
	}
}

// SaveTo writes the files that the tokenizer was read from, byte for byte.
func (t *Subword) SaveTo(folder string) error {
	for _, name := range slices.Sorted(maps.Keys(t.files)) {
		if err := disk.Write(filepath.Join(folder, name), t.files[name]); err != nil {
			return fmt.Errorf("tokenizer: cannot write: %w", err)
		}
	}
	return nil
}
