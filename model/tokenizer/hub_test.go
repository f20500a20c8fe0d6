package tokenizer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The golden files were written by the `tokenizers` library: testdata/make.py.
func TestLoadAgreesWithTokenizers(t *testing.T) {
	tok, err := LoadWordLevel("testdata/words.json")
	require.NoError(t, err)
	data, err := os.ReadFile("testdata/encoded.json")
	require.NoError(t, err)
	var rows []struct {
		Text string
		IDs  []int
	}
	require.NoError(t, json.Unmarshal(data, &rows))
	require.NotEmpty(t, rows)
	for _, row := range rows {
		ids, err := tok.Encode(row.Text)
		require.NoError(t, err)
		assert.Equal(t, row.IDs, append([]int{}, ids...), "%q", row.Text)
	}
}

func TestSaveWritesWhatTokenizersWrites(t *testing.T) {
	tok, err := LoadWordLevel("testdata/words.json")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "tokenizer.json")
	require.NoError(t, tok.Save(path))
	want, err := os.ReadFile("testdata/words.json")
	require.NoError(t, err)
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), strings.TrimSuffix(string(got), "\n"))
}

func TestSaveAndLoad(t *testing.T) {
	for _, words := range [][]string{
		{"<pad>", "<eos>", "light", "purple"},
		{"<pad>", "<eos>", "<unk>", "a&b", "c\"d", "été"},
	} {
		tok, err := NewWordLevel(words)
		require.NoError(t, err)
		path := filepath.Join(t.TempDir(), "tokenizer.json")
		require.NoError(t, tok.Save(path))
		again, err := LoadWordLevel(path)
		require.NoError(t, err)
		assert.Equal(t, tok, again)
	}
}

func TestLoadRefuses(t *testing.T) {
	good, err := os.ReadFile("testdata/words.json")
	require.NoError(t, err)
	for _, c := range []struct{ old, new, want string }{
		{`"type": "WordLevel"`, `"type": "BPE"`, `model type "BPE"`},
		{`"WhitespaceSplit"`, `"Whitespace"`, "pre_tokenizer"},
		{`"normalizer": null`, `"normalizer": {"type": "Lowercase"}`, "normalizer must be null"},
		{`"post_processor": null`, `"post_processor": {"type": "Roberta"}`, "post_processor"},
		{`"unk_token": "<unk>"`, `"unk_token": "which"`, `unk_token is "which"`},
		{`"digit": 4`, `"digit": 3`, "share the id 3"},
		{`"digit": 4`, `"digit": 40`, "the id 40"},
		{`"id": 1,`, `"id": 40,`, "next free one is 13"},
		{`"id": 1,`, `"id": 4,`, `which is the word "digit"`},
		{`"vocab": {`, `"vocab": [`, "not a tokenizer.json"},
	} {
		text := strings.Replace(string(good), c.old, c.new, 1)
		require.NotEqual(t, string(good), text, c.old)
		path := filepath.Join(t.TempDir(), "tokenizer.json")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		_, err := LoadWordLevel(path)
		require.Error(t, err, c.new)
		assert.ErrorContains(t, err, c.want)
		assert.ErrorContains(t, err, path)
		assert.NotContains(t, err.Error(), "\n")
	}
	_, err = LoadWordLevel(filepath.Join(t.TempDir(), "none.json"))
	assert.ErrorContains(t, err, "none.json")
}

// What a file says of truncation and padding changes no id: transformers sets both anew at each call.
func TestTruncationAndPaddingAreNotRead(t *testing.T) {
	const truncation = `{"direction": "Right", "max_length": 1, "strategy": "LongestFirst", "stride": 0}`
	const padding = `{"strategy": {"Fixed": 20}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 2, "pad_type_id": 0, "pad_token": "</s>"}`
	good, err := os.ReadFile("testdata/words.json")
	require.NoError(t, err)
	plain, err := parseWordLevel(good)
	require.NoError(t, err)
	text := strings.NewReplacer(`"truncation": null`, `"truncation": `+truncation, `"padding": null`, `"padding": `+padding).Replace(string(good))
	require.Contains(t, text, "pad_to_multiple_of")
	words, err := parseWordLevel([]byte(text))
	require.NoError(t, err)
	assert.Equal(t, plain, words)

	fields := hub[map[string]json.RawMessage](t, "llama")
	load := func() Tokenizer {
		data, err := json.Marshal(fields)
		require.NoError(t, err)
		folder := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(folder, "tokenizer.json"), data, 0o644))
		tok, err := Load(folder)
		require.NoError(t, err)
		return tok
	}
	want, err := load().EncodePrompt("which digit is this")
	require.NoError(t, err)
	fields["truncation"], fields["padding"] = json.RawMessage(truncation), json.RawMessage(padding)
	tok := load()
	got, err := tok.EncodePrompt("which digit is this")
	require.NoError(t, err)
	assert.Equal(t, want, got)

	var all []int
	for id := range tok.Size() {
		all = append(all, id)
	}
	kept, err := Keep(tok, all)
	require.NoError(t, err)
	var file object
	require.NoError(t, json.Unmarshal(kept.(*Subword).files[fileTokenizer], &file))
	assert.True(t, isNull(file["padding"]), "its id may be another token's")
	assert.False(t, isNull(file["truncation"]))
}

// An added token that the model's vocabulary does not have takes the next id.
func TestAddedTokenExtends(t *testing.T) {
	good, err := os.ReadFile("testdata/words.json")
	require.NoError(t, err)
	text := strings.Replace(string(good), `"added_tokens": [`, `"added_tokens": [{"id": 13, "content": "more", "special": true},`, 1)
	tok, err := parseWordLevel([]byte(text))
	require.NoError(t, err)
	assert.Equal(t, 14, tok.Size())
	assert.Equal(t, "more", tok.Decode([]int{13}))
}

// transformers' AutoTokenizer finds the class and the special words in tokenizer_config.json, and the folder reads as before.
func TestSaveConfig(t *testing.T) {
	for _, c := range []struct {
		words []string
		want  string
	}{
		{[]string{PadWord, EOSWord, UnkWord, "red"}, `{"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>", "eos_token": "<eos>", "unk_token": "<unk>"}`},
		{[]string{PadWord, EOSWord, "red"}, `{"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>", "eos_token": "<eos>"}`},
	} {
		words, err := NewWordLevel(c.words)
		require.NoError(t, err)
		folder := t.TempDir()
		require.NoError(t, words.SaveTo(folder))
		require.NoError(t, words.SaveConfig(folder))
		text, err := os.ReadFile(filepath.Join(folder, "tokenizer_config.json"))
		require.NoError(t, err)
		assert.JSONEq(t, c.want, string(text))
		again, err := Load(folder)
		require.NoError(t, err)
		assert.Equal(t, c.words, again.(*WordLevel).Words())
	}
}
