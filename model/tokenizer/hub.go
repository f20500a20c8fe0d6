package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"

	"espalier/torch/disk"
	"espalier/torch/textfile"
)

// tokenizerJSON is Hugging Face's tokenizer.json, as far as a word-level tokenizer uses it. The parts that
// would change ids (normalizer, post-processor, …) must be null: leaving them out in silence would give
// other ids than `tokenizers` does.
type tokenizerJSON struct {
	Version       string          `json:"version"`
	Truncation    json.RawMessage `json:"truncation"` // not read, as in subwordJSON; written as null
	Padding       json.RawMessage `json:"padding"`
	AddedTokens   []addedToken    `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  *typed          `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`
	Model         wordLevelModel  `json:"model"`
}

type addedToken struct {
	ID         int    `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

type typed struct {
	Type string `json:"type"`
}

type wordLevelModel struct {
	Type     string   `json:"type"`
	Vocab    wordList `json:"vocab"`
	UnkToken string   `json:"unk_token"`
}

// Save writes the tokenizer as a tokenizer.json.
func (t *WordLevel) Save(path string) error {
	data, err := t.MarshalJSON()
	if err != nil {
		return fmt.Errorf("tokenizer: %w", err)
	}
	if err := disk.Write(path, data); err != nil {
		return fmt.Errorf("tokenizer: cannot write: %w", err)
	}
	return nil
}

// SaveTo writes the tokenizer as the file tokenizer.json of the folder.
func (t *WordLevel) SaveTo(folder string) error { return t.Save(filepath.Join(folder, fileTokenizer)) }

// MarshalJSON gives the bytes of the tokenizer.json: the same bytes for the same words.
func (t *WordLevel) MarshalJSON() ([]byte, error) {
	file := tokenizerJSON{
		Version:      "1.0",
		PreTokenizer: &typed{"WhitespaceSplit"},
		// The format demands an unk_token even where the vocabulary does not have it: then `tokenizers` too fails on an unknown word.
		Model: wordLevelModel{Type: "WordLevel", Vocab: t.words, UnkToken: UnkWord},
	}
	for id, w := range t.words[:max(eosID, t.unk)+1] {
		file.AddedTokens = append(file.AddedTokens, addedToken{ID: id, Content: w, Special: true})
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false) // <pad>, not \u003cpad\u003e: people read this file
	enc.SetIndent("", "  ")
	if err := enc.Encode(file); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// LoadWordLevel reads a tokenizer.json. It refuses, in a sentence that names the file and the reason, every
// file that would give other ids here than in `tokenizers`.
func LoadWordLevel(path string) (*WordLevel, error) {
	data, err := textfile.Read(path)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: cannot read: %w", err)
	}
	t, err := parseWordLevel(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %s: %w", path, err)
	}
	return t, nil
}

func parseWordLevel(data []byte) (*WordLevel, error) {
	var kind struct {
		Model typed `json:"model"`
	}
	if err := json.Unmarshal(data, &kind); err != nil {
		return nil, fmt.Errorf("not a tokenizer.json: %w; save the tokenizer again", err)
	}
	if kind.Model.Type != "WordLevel" {
		return nil, fmt.Errorf("model type %q, want \"WordLevel\"; load it with the tokenizer of that type", kind.Model.Type)
	}
	var file tokenizerJSON
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("not a word-level tokenizer.json: %w; save the tokenizer again", err)
	}
	if file.PreTokenizer == nil || file.PreTokenizer.Type != "WhitespaceSplit" {
		return nil, fmt.Errorf("pre_tokenizer must be WhitespaceSplit; text would be split differently here")
	}
	for _, part := range []struct {
		name  string
		value json.RawMessage
	}{
		{"normalizer", file.Normalizer}, {"post_processor", file.PostProcessor}, {"decoder", file.Decoder},
	} {
		if len(part.value) > 0 && string(part.value) != "null" {
			return nil, fmt.Errorf("%s must be null; text would be encoded differently here", part.name)
		}
	}
	words, err := file.words()
	if err != nil {
		return nil, err
	}
	t, err := NewWordLevel(words)
	if err != nil {
		return nil, err
	}
	if t.unk >= 0 && file.Model.UnkToken != UnkWord {
		return nil, fmt.Errorf("unk_token is %q, want %q", file.Model.UnkToken, UnkWord)
	}
	return t, nil
}

// words joins the model's vocabulary with the added tokens, which may stand in it or extend it.
func (f *tokenizerJSON) words() ([]string, error) {
	words := []string(f.Model.Vocab)
	for _, a := range f.AddedTokens {
		switch {
		case a.ID == len(words):
			words = append(words, a.Content)
		case a.ID < 0 || a.ID > len(words):
			return nil, fmt.Errorf("added token %q has the id %d, the next free one is %d", a.Content, a.ID, len(words))
		case words[a.ID] != a.Content:
			return nil, fmt.Errorf("added token %q has the id %d, which is the word %q in the vocabulary", a.Content, a.ID, words[a.ID])
		}
	}
	return words, nil
}

// SaveConfig writes the tokenizer_config.json by which transformers' AutoTokenizer reads the words: without one it takes the
// class that goes with the language model, which reads no word list.
func (t *WordLevel) SaveConfig(folder string) error {
	c := map[string]string{"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": PadWord, "eos_token": EOSWord}
	if t.unk >= 0 {
		c["unk_token"] = UnkWord
	}
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("tokenizer: %w", err)
	}
	if err := disk.Write(filepath.Join(folder, fileConfig), append(data, '\n')); err != nil {
		return fmt.Errorf("tokenizer: %w", err)
	}
	return nil
}
