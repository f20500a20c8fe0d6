package prompt_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/model/prompt"
	"espalier/model/tokenizer"
)

// pieces is a WordPiece tokenizer.json with one special token before a prompt and one behind it.
func pieces(words ...string) string {
	var vocabulary, added []string
	for i, w := range append([]string{"[PAD]", "[UNK]", "[CLS]", "[SEP]"}, words...) {
		vocabulary = append(vocabulary, fmt.Sprintf("%q: %d", w, i))
		if i < 4 {
			added = append(added, fmt.Sprintf(`{"id": %d, "content": %q, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}`, i, w))
		}
	}
	special := func(name string) string { return fmt.Sprintf(`{"SpecialToken": {"id": %q, "type_id": 0}}`, name) }
	around := special("[CLS]") + `, {"Sequence": {"id": "A", "type_id": 0}}, ` + special("[SEP]")
	return fmt.Sprintf(`{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [%s],
		"normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
		"pre_tokenizer": {"type": "BertPreTokenizer"},
		"post_processor": {"type": "TemplateProcessing", "single": [%s], "pair": [%s], "special_tokens": {
			"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]}, "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}},
		"decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
		"model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": {%s}}}`,
		strings.Join(added, ", "), around, around, strings.Join(vocabulary, ", "))
}

// write puts files into a new folder; names may have folders.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range files {
		path := filepath.Join(folder, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return folder
}

func kindConfig(t *testing.T, kind, text string) *model.Config {
	t.Helper()
	c, err := model.ParseConfig([]byte(fmt.Sprintf(`{"model_type": %q, "qformer_config": {"vocab_size": 9}, "text_config": {"model_type": "opt"%s}}`, kind, text)))
	require.NoError(t, err)
	return c
}

func question(t *testing.T, v prompt.Words, text string) model.Question {
	t.Helper()
	q, err := v.Question(text)
	require.NoError(t, err)
	return q
}

func TestQuestionIsFramed(t *testing.T) {
	folder := write(t, map[string]string{"tokenizer.json": pieces("question", ":", "what", "answer")})
	plain, err := prompt.Load(folder, kindConfig(t, "blip-2", ""), "")
	require.NoError(t, err)
	assert.Equal(t, model.Question{Prompt: []int{2, 6, 3}}, question(t, plain, "What"), "the special tokens of a prompt, and no instruction")

	framed, err := prompt.Load(folder, kindConfig(t, "blip-2", ""), "Question: {question} Answer:")
	require.NoError(t, err)
	assert.Equal(t, []int{2, 4, 5, 6, 7, 5, 3}, question(t, framed, "what").Prompt)

	framed.Template = "{question} {question}"
	assert.Equal(t, []int{2, 6, 6, 3}, question(t, framed, "what").Prompt, "at each place")
	framed.Template = "answer:"
	assert.Equal(t, []int{2, 7, 5, 3}, question(t, framed, "what").Prompt, "a frame may ask by itself")

	_, err = framed.Question("\xff")
	assert.NoError(t, err, "such a frame never reads the question")
	framed.Template = ""
	_, err = framed.Question("\xff")
	assert.ErrorContains(t, err, "not UTF-8")
}

// The Q-Former of InstructBLIP reads the framed question in its own words.
func TestSecondTokenizer(t *testing.T) {
	files := map[string]string{"tokenizer.json": pieces("what", ":"), "qformer_tokenizer/tokenizer.json": pieces(":", "x", "what")}
	v, err := prompt.Load(write(t, files), kindConfig(t, "instructblip", ""), "{question}:")
	require.NoError(t, err)
	assert.Equal(t, model.Question{Prompt: []int{2, 4, 5, 3}, Instruction: []int{2, 6, 4, 3}}, question(t, v, "what"))

	// BLIP-2's reads no question, whatever lies there.
	v, err = prompt.Load(write(t, files), kindConfig(t, "blip-2", ""), "")
	require.NoError(t, err)
	assert.Nil(t, v.Instruction)

	// One vocabulary serves both where there is no second one.
	delete(files, "qformer_tokenizer/tokenizer.json")
	v, err = prompt.Load(write(t, files), kindConfig(t, "instructblip", ""), "")
	require.NoError(t, err)
	assert.Equal(t, model.Question{Prompt: []int{2, 4, 3}, Instruction: []int{2, 4, 3}}, question(t, v, "what"))

	// A second tokenizer that cannot be read is named.
	files["qformer_tokenizer/tokenizer.json"] = strings.Replace(pieces("x"), `"model": {"type": "WordPiece"`, `"model": {"type": "Piece"`, 1)
	_, err = prompt.Load(write(t, files), kindConfig(t, "instructblip", ""), "")
	assert.ErrorContains(t, err, "qformer_tokenizer")
}

func TestLoadFaults(t *testing.T) {
	folder := t.TempDir()
	_, err := prompt.Load(folder, kindConfig(t, "blip-2", ""), "")
	assert.ErrorContains(t, err, folder+" has no tokenizer.json")

	// A vocabulary that is wider than the Q-Former's table, in either place.
	wide := pieces("a", "b", "c", "d", "e", "f")
	for _, files := range []map[string]string{
		{"tokenizer.json": wide},
		{"tokenizer.json": pieces("a"), "qformer_tokenizer/tokenizer.json": wide},
	} {
		folder := write(t, files)
		_, err := prompt.Load(folder, kindConfig(t, "instructblip", ""), "")
		assert.ErrorContains(t, err, folder+": the Q-Former reads 9 words, its tokenizer has 10; put its own into the folder qformer_tokenizer")
	}
}

// The config's ends win over the tokenizer's own, unless that is one of several.
func TestTokenizerChoosesAmongEnds(t *testing.T) {
	for _, c := range []struct {
		text     string
		eos, pad int
	}{
		{`, "eos_token_id": 5, "pad_token_id": 4`, 5, 4},
		{`, "eos_token_id": [5, 3], "pad_token_id": 0`, 3, 0},
		{`, "eos_token_id": [5, 6], "pad_token_id": 0`, 5, 0},
	} {
		folder := write(t, map[string]string{"tokenizer.json": pieces("a", "b", "c"), "tokenizer_config.json": `{"eos_token": "[SEP]", "pad_token": "[PAD]"}`})
		v, err := prompt.Load(folder, kindConfig(t, "blip-2", c.text), "")
		require.NoError(t, err)
		assert.Equal(t, []int{c.eos, c.pad}, []int{v.Answers.EOS(), v.Answers.Pad()}, c.text)
	}
}

// The ends of a decoder alone are those of its generation_config.json, as with transformers.
func TestEndsOfADecoder(t *testing.T) {
	for _, c := range []struct {
		generation string
		ends       []int
	}{{`{"eos_token_id": 3}`, []int{3}}, {`{"eos_token_id": [5, 3]}`, []int{3, 5}}, {`{"eos_token_id": 6}`, []int{6}}, {`{}`, []int{1}}} {
		folder := write(t, map[string]string{"tokenizer.json": pieces("a", "b", "c"), "tokenizer_config.json": `{"eos_token": "[SEP]"}`,
			"config.json": `{"model_type": "llama", "eos_token_id": 1}`, "generation_config.json": c.generation})
		config, err := model.LoadConfig(folder)
		require.NoError(t, err)
		v, err := prompt.Load(folder, config, "")
		require.NoError(t, err)
		assert.Equal(t, c.ends, v.Ends(), c.generation)
		assert.Equal(t, c.ends[0], v.Answers.EOS(), "answers are learnt with it, and read up to it")
	}
}

func TestSaveThenLoad(t *testing.T) {
	files := map[string]string{"tokenizer.json": pieces("what", "red"), "qformer_tokenizer/tokenizer.json": pieces("x", "what")}
	for _, kind := range []string{"blip-2", "instructblip"} {
		c := kindConfig(t, kind, "")
		v, err := prompt.Load(write(t, files), c, "a {question}")
		require.NoError(t, err)
		to := t.TempDir()
		require.NoError(t, v.Save(to))
		again, err := prompt.Load(to, c, "a {question}")
		require.NoError(t, err)
		assert.Equal(t, question(t, v, "what"), question(t, again, "what"), kind)
		assert.Equal(t, "red", again.Answers.Decode([]int{5}))
		_, err = os.Stat(filepath.Join(to, "qformer_tokenizer"))
		assert.Equal(t, kind == "blip-2", os.IsNotExist(err), "only where there is a second tokenizer")
	}

	// One vocabulary for both is written once; one that cannot be written is an error.
	words, err := tokenizer.NewWordLevel([]string{"<pad>", "<eos>", "what"})
	require.NoError(t, err)
	to := t.TempDir()
	require.NoError(t, prompt.Words{Answers: words, Instruction: words}.Save(to))
	assert.NoDirExists(t, filepath.Join(to, "qformer_tokenizer"))
	assert.Error(t, prompt.Words{Answers: words}.Save(filepath.Join(to, "tokenizer.json")), "a file is no folder")
}
