package data

import (
	"errors"
	"strings"
	"testing"

	"espalier/model/tokenizer"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func words(t *testing.T, list string) *tokenizer.WordLevel {
	t.Helper()
	tok, err := tokenizer.NewWordLevel(strings.Fields("<pad> <eos> " + list))
	require.NoError(t, err)
	return tok
}

func TestCheckVocabulary(t *testing.T) {
	d, err := Open(Config{Size: 2, Root: folder(t, with(map[string]string{
		"ood/metadata.jsonl":  line("../test/4.png", "which", "nine"),
		"test/metadata.jsonl": `{"file_name": "4.png", "question": "which", "answer": ["4", "four"]}`,
	}))})
	require.NoError(t, err)
	assert.NoError(t, CheckVocabulary(words(t, "which odd one two three four yes"), d), "one of the accepted answers will do; ood may ask for more")

	err = CheckVocabulary(words(t, "which odd one two three yes"), d)
	require.Error(t, err)
	assert.ErrorContains(t, err, `test/metadata.jsonl:1: the teacher's vocabulary does not have the word "4" of the answer "4"`)
	assert.NotContains(t, err.Error(), "\n")

	err = CheckVocabulary(words(t, "<unk> which odd one three four yes"), d)
	assert.ErrorContains(t, err, `train/metadata.jsonl:2: the teacher's vocabulary does not have the word "two"`)
	assert.NoError(t, CheckVocabulary(words(t, "<unk> one two three four yes"), d), "a word of a question may become <unk>")
	assert.ErrorContains(t, CheckVocabulary(words(t, "which one two three four yes"), d), `train/metadata.jsonl:3: the teacher's vocabulary does not have the word "odd" of the question`)

	err = CheckVocabulary(words(t, "nothing"), d)
	assert.ErrorContains(t, err, " words at ")
	assert.NotContains(t, err.Error(), "\n", "one line, however much is missing")
}

// The first training answer is the one that is learnt: another one does not make up for it.
func TestFirstTrainingAnswerCounts(t *testing.T) {
	d, err := Open(Config{Size: 2, Root: folder(t, with(map[string]string{
		"train/metadata.jsonl": `{"file_name": "../images/1.png", "question": "which", "answer": ["1", "one"]}`,
	}))})
	require.NoError(t, err)
	assert.ErrorContains(t, CheckVocabulary(words(t, "which one three four"), d), `does not have the word "1"`)
}

// subwords stands for tokenizers of other kinds, which know by themselves what they can encode.
type subwords struct{ tokenizer.Tokenizer }

func (subwords) Encode(text string) ([]int, error) {
	if strings.Contains(text, "two") {
		return nil, errors.New("no bytes for it")
	}
	return []int{2}, nil
}

func TestCheckOtherTokenizers(t *testing.T) {
	d, err := Open(Config{Root: folder(t, small()), Size: 2})
	require.NoError(t, err)
	assert.ErrorContains(t, CheckVocabulary(subwords{}, d), "no bytes for it")
}
