package prompt_test

import (
	"compress/gzip"
	"io"
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

// words are those of a checkpoint with a committed tokenizer ("opt", "llama", "t5") and a text_config.
func words(t *testing.T, kind, text, template string) prompt.Words {
	t.Helper()
	v, err := load(t, kind, text, template)
	require.NoError(t, err)
	return v
}

func load(t *testing.T, kind, text, template string) (prompt.Words, error) {
	t.Helper()
	folder := t.TempDir()
	packed, err := os.Open(filepath.Join("..", "tokenizer", "testdata", "hub", kind+".json.gz"))
	require.NoError(t, err)
	defer packed.Close()
	file, err := gzip.NewReader(packed)
	require.NoError(t, err)
	data, err := io.ReadAll(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "tokenizer.json"), data, 0o644))
	return prompt.Load(folder, config(t, text, ""), template)
}

// config is a BLIP-2 with a text_config, and further keys.
func config(t *testing.T, text, more string) *model.Config {
	t.Helper()
	c, err := model.ParseConfig([]byte(`{"text_config": ` + text + more + `}`))
	require.NoError(t, err)
	return c
}

const (
	opt   = `{"model_type": "opt", "eos_token_id": 2, "pad_token_id": 1}`
	llama = `{"model_type": "llama", "eos_token_id": 2, "pad_token_id": 0}`
	t5    = `{"model_type": "t5", "eos_token_id": 1, "pad_token_id": 0}`

	framed = "Question: {question} Answer:"
)

func encode(t *testing.T, v prompt.Words, text string) []int {
	t.Helper()
	ids, err := v.Answers.Encode(text)
	require.NoError(t, err)
	return ids
}

// With a byte-level vocabulary an answer is the word behind a space, however the data write it, and prompt and answer
// are the ids of the whole text: what a network was trained on that read it in one piece.
func TestAnswerFollowsItsPrompt(t *testing.T) {
	v := words(t, "opt", opt, framed)
	want := append(encode(t, v, " red"), 2)
	require.NotEqual(t, want, append(encode(t, v, "red"), 2), "the space makes another token")
	for _, answer := range []string{"red", " red"} {
		ids, follows, err := v.Answer("what colour is it", answer)
		require.NoError(t, err)
		assert.True(t, follows)
		assert.Equal(t, want, ids, "%q", answer)
	}
	q, err := v.Question("what colour is it")
	require.NoError(t, err)
	whole, err := v.Answers.EncodePrompt("Question: what colour is it Answer: red")
	require.NoError(t, err)
	assert.Equal(t, append(whole, 2), append(q.Prompt, want...))

	alone := words(t, "opt", opt, "")
	ids, follows, err := alone.Answer("what colour is it", "red")
	require.NoError(t, err)
	assert.True(t, follows)
	assert.Equal(t, want, ids, "also without a frame")
}

// White space at the prompt's end takes the place of the space.
func TestAnswerAfterWhiteSpace(t *testing.T) {
	v := words(t, "opt", opt, "{question}\n")
	ids, follows, err := v.Answer("what", "red")
	require.NoError(t, err)
	assert.True(t, follows)
	assert.Equal(t, append(encode(t, v, "red"), 2), ids)

	v = words(t, "opt", opt, framed+" ") // the vocabulary joins the space with the word
	ids, follows, err = v.Answer("what", "red")
	require.NoError(t, err)
	assert.False(t, follows, "the prompt's last id is a space that the whole text does not have")
	assert.Equal(t, append(encode(t, v, " red"), 2), ids)
}

// SentencePiece writes the space by itself, T5's answers are read alone, and a word list knows no spaces: there nothing
// depends on the prompt.
func TestAnswersThatNeedNoSpace(t *testing.T) {
	for _, c := range []struct {
		kind, text string
		end        int
	}{{"llama", llama, 2}, {"t5", t5, 1}} {
		for _, template := range []string{framed, ""} {
			v := words(t, c.kind, c.text, template)
			for _, answer := range []string{"red", "two small dogs", "3.5", "naïve"} {
				ids, follows, err := v.Answer("what colour is it", answer)
				require.NoError(t, err)
				assert.True(t, follows)
				assert.Equal(t, append(encode(t, v, answer), c.end), ids, "%s: %q", c.kind, answer)
			}
		}
	}
	ids, _, err := words(t, "llama", llama, framed).Answer("what", " red")
	require.NoError(t, err)
	plain, _, err := words(t, "llama", llama, framed).Answer("what", "red")
	require.NoError(t, err)
	assert.Equal(t, plain, ids)

	list, err := tokenizer.NewWordLevel(strings.Fields("<pad> <eos> what is it deep red"))
	require.NoError(t, err)
	for _, answer := range []string{"deep red", " deep red"} {
		ids, follows, err := prompt.Words{Answers: list}.Answer("what is it", answer)
		require.NoError(t, err)
		assert.True(t, follows)
		assert.Equal(t, []int{5, 6, 1}, ids)
	}
	_, _, err = prompt.Words{Answers: list}.Answer("what is it", "green")
	assert.ErrorContains(t, err, `"green"`)
}

// The first of the ends is the tokenizer's own where the config lists it, else the config's first.
func TestEnds(t *testing.T) {
	for text, want := range map[string][]int{
		`2`: {2}, `[7, 2, 9]`: {2, 7, 9}, `[9, 7]`: {9, 7}, `50`: {50}, `null`: {2},
	} {
		v := words(t, "opt", `{"model_type": "opt", "pad_token_id": 1, "eos_token_id": `+text+`}`, "")
		assert.Equal(t, want, v.Ends(), text)
		ids, _, err := v.Answer("what", "red")
		require.NoError(t, err)
		assert.Equal(t, want[0], ids[len(ids)-1], text)
	}
	list, err := tokenizer.NewWordLevel(strings.Fields("<pad> <eos> what red"))
	require.NoError(t, err)
	folder := t.TempDir()
	require.NoError(t, list.SaveTo(folder))
	for text, want := range map[string][]int{`[3, 1]`: {1, 3}, `2`: {1}} {
		v, err := prompt.Load(folder, config(t, `{"model_type": "opt", "eos_token_id": `+text+`}`, ""), "")
		require.NoError(t, err)
		assert.Equal(t, want, v.Ends(), text)
	}
}

// Where the config names no padding the tokenizer's own counts, and the first token is one like another.
func TestNoPadding(t *testing.T) {
	for _, pad := range []string{``, `, "pad_token_id": null`} {
		v := words(t, "llama", `{"model_type": "llama", "eos_token_id": 2`+pad+`}`, "")
		assert.Equal(t, 1700, v.Answers.Pad(), "<pad>")
		ids := append(append(encode(t, v, "two small"), 0), encode(t, v, "dogs")...)
		assert.Equal(t, "two small dogs", v.Answers.Decode(ids))
	}
}

// A template that is given comes before the checkpoint's own.
func TestTemplateOfTheCheckpoint(t *testing.T) {
	list, err := tokenizer.NewWordLevel(strings.Fields("<pad> <eos> what Q: A:"))
	require.NoError(t, err)
	folder := t.TempDir()
	require.NoError(t, list.SaveTo(folder))
	for own, cases := range map[string]map[string][]int{
		"Q: {question} A:": {"": {3, 2, 4}, "{question} A:": {2, 4}, "{question}": {2}},
		"":                 {"": {2}, "Q: {question}": {3, 2}},
	} {
		for given, want := range cases {
			c := config(t, opt, "")
			c.Prompt = own
			v, err := prompt.Load(folder, c, given)
			require.NoError(t, err)
			q, err := v.Question("what")
			require.NoError(t, err)
			assert.Equal(t, want, q.Prompt, "%q after %q", given, own)
		}
	}
	_, err = prompt.Load(folder, config(t, opt, ""), "Q:")
	assert.ErrorContains(t, err, "{question}")
}

// A question that names a place for the picture is refused: by its text, or by the id that stands for the picture.
func TestPlaceholderIsRefused(t *testing.T) {
	v := words(t, "opt", opt, framed)
	_, err := v.Question("what colour is it")
	require.NoError(t, err)
	for _, text := range []string{"<image>\nwhat colour is it", "what is in<image>"} {
		_, err := v.Question(text)
		assert.ErrorContains(t, err, "the question holds <image>")
	}
	_, err = words(t, "opt", opt, "<image> {question}").Question("what")
	assert.ErrorContains(t, err, "the prompt that frames questions holds <image>")

	list, err := tokenizer.NewWordLevel(strings.Fields("<pad> <eos> what <picture>"))
	require.NoError(t, err)
	folder := t.TempDir()
	require.NoError(t, list.SaveTo(folder))
	for index, refused := range map[string]bool{"3": true, "-1": false, "9": false} {
		v, err := prompt.Load(folder, config(t, opt, `, "image_token_index": `+index), "")
		require.NoError(t, err)
		_, err = v.Question("<picture> what")
		if refused {
			assert.ErrorContains(t, err, "token 3")
		} else {
			assert.NoError(t, err, index)
		}
	}
}
