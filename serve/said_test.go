package serve

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"espalier/model/speaker"
)

// spoken decodes ids that stand for texts.
func spoken(texts ...string) func([]int) string {
	return func(ids []int) string {
		var out strings.Builder
		for _, id := range ids {
			out.WriteString(texts[id])
		}
		return strings.ToValidUTF8(strings.ReplaceAll(out.String(), "do n't", "don't"), "\ufffd")
	}
}

func texts(tokens []token) (out []string) {
	for _, t := range tokens {
		out = append(out, t.text)
	}
	return out
}

// The pieces of an answer are its text, whatever a later token does to how earlier ones are written.
func TestPieces(t *testing.T) {
	for _, c := range []struct{ tokens, want []string }{
		{[]string{"dark", " red"}, []string{"dark", " red"}},
		{[]string{"do", " n", "'t", " go"}, []string{"do", "", "n't", " go"}},
		{[]string{"\xc3", "\xa4", "b"}, []string{"", "ä", "b"}},
		{[]string{"a", "\xc3"}, []string{"a", "\ufffd"}},
		{nil, nil},
	} {
		ids := make([]int, len(c.tokens))
		for i := range ids {
			ids[i] = i
		}
		decode := spoken(c.tokens...)
		got := tell(speaker.Answer{IDs: ids, LogProbs: make([]float64, len(ids)+1)}, decode, nil)
		assert.Equal(t, c.want, texts(got.tokens))
		assert.Equal(t, decode(ids), got.text)
		assert.Equal(t, decode(ids), strings.Join(texts(got.tokens), ""))
	}
}

func TestFinish(t *testing.T) {
	decode := spoken("one", " two", " three")
	ended := speaker.Answer{IDs: []int{0, 1, 2}, LogProbs: []float64{-.1, -.2, -.3, -.4}}
	cut := speaker.Answer{IDs: []int{0, 1, 2}, LogProbs: []float64{-.1, -.2, -.3}}
	for _, c := range []struct {
		answer       speaker.Answer
		stop         []string
		text, finish string
		tokens       []string
	}{
		{ended, nil, "one two three", "stop", []string{"one", " two", " three"}},
		{cut, nil, "one two three", "length", []string{"one", " two", " three"}},
		{cut, []string{"x", "wo", "three"}, "one t", "stop", []string{"one", " t"}},
		{cut, []string{"one"}, "", "stop", []string{}},
		{cut, []string{" two"}, "one", "stop", []string{"one"}},
		{ended, []string{"four"}, "one two three", "stop", []string{"one", " two", " three"}},
	} {
		got := tell(c.answer, decode, c.stop)
		assert.Equal(t, c.text, got.text)
		assert.Equal(t, c.finish, got.finish)
		assert.ElementsMatch(t, c.tokens, texts(got.tokens))
	}
	assert.InDelta(t, math.Exp(-1), tell(ended, decode, nil).confidence, 1e-12)
	nan := speaker.Answer{IDs: []int{0}, LogProbs: []float64{math.NaN()}}
	assert.Zero(t, tell(nan, decode, nil).confidence)
	assert.EqualValues(t, leastLogProb, tell(nan, decode, nil).tokens[0].logProb)
}
