package tokenizer

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEncodeDecode(t *testing.T) {
	tok, err := NewWordLevel([]string{"<pad>", "<eos>", "light", "purple"})
	require.NoError(t, err)
	ids, err := tok.Encode(" light\t purple\n")
	require.NoError(t, err)
	assert.Equal(t, []int{2, 3}, ids)
	assert.Equal(t, "light purple", tok.Decode([]int{2, 3, 1, 2}), "stops at <eos>")
	assert.Equal(t, "light", tok.Decode([]int{2, 0, 3}), "stops at <pad>")
	assert.Equal(t, "light <unk> <unk>", tok.Decode([]int{2, 4, -1}), "an id outside the list does not crash")
	assert.Equal(t, []int{4, 0, 1, -1}, []int{tok.Size(), tok.Pad(), tok.EOS(), tok.Unk()})
}

func TestUnknownWord(t *testing.T) {
	closed, err := NewWordLevel([]string{"<pad>", "<eos>", "light"})
	require.NoError(t, err)
	_, err = closed.Encode("light mauve")
	var unknown *UnknownWordError
	require.ErrorAs(t, err, &unknown)
	assert.Equal(t, "mauve", unknown.Word)
	assert.ErrorContains(t, err, `"mauve"`)

	open, err := NewWordLevel([]string{"<pad>", "<eos>", "<unk>", "light"})
	require.NoError(t, err)
	ids, err := open.Encode("light mauve")
	require.NoError(t, err)
	assert.Equal(t, []int{3, 2}, ids)
}

func TestNewWordLevelRefuses(t *testing.T) {
	for _, c := range []struct {
		words []string
		want  string
	}{
		{nil, "starts with <pad>"},
		{[]string{"<eos>", "<pad>"}, "starts with <pad>"},
		{[]string{"<pad>", "<eos>", "a", "<unk>"}, "put it third"},
		{[]string{"<pad>", "<eos>", "a", "b", "a"}, "listed twice, as 2 and 4"},
		{[]string{"<pad>", "<eos>", "two words"}, "white space"},
		{[]string{"<pad>", "<eos>", ""}, "empty"},
		{[]string{"<pad>", "<eos>", "\xff"}, "UTF-8"},
	} {
		_, err := NewWordLevel(c.words)
		assert.ErrorContains(t, err, c.want)
	}
}

func TestBuildWordLevel(t *testing.T) {
	tok, err := BuildWordLevel(slices.Values([]string{"which digit is this", "is this seven", "seven"}))
	require.NoError(t, err)
	assert.Equal(t, []string{"<pad>", "<eos>", "<unk>", "which", "digit", "is", "this", "seven"}, tok.Words())
	assert.True(t, tok.Has("seven"))
	assert.False(t, tok.Has("eight"))

	_, err = BuildWordLevel(slices.Values([]string{"what is <eos> here"}))
	assert.ErrorContains(t, err, "<eos>")
}
