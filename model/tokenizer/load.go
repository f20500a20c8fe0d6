package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"espalier/torch/textfile"
)

// Load reads the tokenizer of a folder: its tokenizer.json, of either kind, and for the special tokens its
// tokenizer_config.json and special_tokens_map.json, where they are.
func Load(folder string) (Tokenizer, error) {
	path := filepath.Join(folder, fileTokenizer)
	data, err := textfile.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("tokenizer: %s has no %s (%w); write one in Python: transformers.AutoTokenizer.from_pretrained(checkpoint, use_fast=True).save_pretrained(%q)",
			folder, fileTokenizer, fs.ErrNotExist, folder)
	}
	if err != nil {
		return nil, fmt.Errorf("tokenizer: cannot read: %w", err)
	}
	var kind struct{ Model typed }
	if err := json.Unmarshal(data, &kind); err == nil && kind.Model.Type == "WordLevel" {
		t, err := parseWordLevel(data)
		if err != nil {
			return nil, fmt.Errorf("tokenizer: %s: %w", path, err)
		}
		return t, nil
	}
	t, err := parseSubword(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %s: %w", path, err)
	}
	t.files = map[string][]byte{fileTokenizer: data}
	named, err := readSpecials(folder, t.files)
	if err != nil {
		return nil, err
	}
	if err := t.choose(named); err != nil {
		return nil, fmt.Errorf("tokenizer: %s: %w", folder, err)
	}
	return t, nil
}
