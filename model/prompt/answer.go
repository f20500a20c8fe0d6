package prompt

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Answer are the ids of an answer that is learnt, end included: what stands behind the prompt's ids when prompt and
// answer are one text. That is where the network looks when it answers; the same word without the space before it is
// another token to a byte-level vocabulary. An answer that goes into a decoder of its own follows nothing, and is
// read alone.
//
// follows is false where the tokenizer joins the end of the prompt with the beginning of the answer, so that the ids of
// the prompt do not begin those of the whole. The ids are then those of the answer after the prompt without the white
// space at its end or, where even that is joined, of the answer alone.
func (v Words) Answer(question, answer string) (ids []int, follows bool, err error) {
	contexts := []string{v.framed(question)}
	if v.EncoderDecoder {
		contexts = nil
	} else if bare := strings.TrimRightFunc(contexts[0], unicode.IsSpace); bare != contexts[0] {
		contexts = append(contexts, bare)
	}
	for i, context := range contexts {
		ids, fits, err := v.after(context, answer)
		if fits || err != nil {
			return append(ids, v.Answers.EOS()), i == 0, err
		}
	}
	ids, err = v.Answers.Encode(answer)
	return append(ids, v.Answers.EOS()), v.EncoderDecoder, err
}

// after are the ids behind those of the context when both are one text; fits is false where the context's do not begin
// the whole's.
func (v Words) after(context, answer string) (ids []int, fits bool, err error) {
	before, err := v.Answers.Encode(context)
	if err != nil {
		return nil, false, err
	}
	whole, err := v.Answers.Encode(join(context, answer))
	if err != nil {
		return nil, false, err
	}
	n := len(before)
	if n >= len(whole) || !slices.Equal(before, whole[:n]) {
		return nil, false, nil
	}
	return slices.Clone(whole[n:]), true, nil
}

// join puts a space between two texts that have no white space there.
func join(before, after string) string {
	last, _ := utf8.DecodeLastRuneInString(before)
	first, _ := utf8.DecodeRuneInString(after)
	if before == "" || unicode.IsSpace(last) || unicode.IsSpace(first) {
		return before + after
	}
	return before + " " + after
}
