package metric

import (
	"slices"
	"strings"
	"unicode"
)

// captionWords are the words of a text as the tokenizer of the Penn Treebank cuts them, in lower case and without punctuation, which is
// what pycocoevalcap compares. Rare things of that tokenizer (abbreviations, addresses, fractions) are not followed.
func captionWords(text string) (words []string) {
	for _, field := range strings.Fields(lower(text)) {
		for _, part := range parts([]rune(field)) {
			words = append(words, contracted(part)...)
		}
	}
	return slices.DeleteFunc(words, func(w string) bool { return slices.Contains(dropped, w) })
}

// dropped is the punctuation that pycocoevalcap leaves out. It looks for brackets in upper case, and so they stay.
var dropped = []string{"''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"}

// parts cuts a field at its signs: those within a word or a number (3.5, 1,000, well-known, don't) stay.
func parts(field []rune) (out []string) {
	var word []rune
	end := func() {
		if len(word) > 0 {
			out, word = append(out, string(word)), nil
		}
	}
	inner := func(i int, of func(rune) bool) bool {
		return i > 0 && i+1 < len(field) && of(field[i-1]) && of(field[i+1])
	}
	alphanumeric := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	for i, r := range field {
		switch {
		case alphanumeric(r), unicode.Is(unicode.Mn, r):
			word = append(word, r)
		case (r == '.' || r == ',' || r == ':') && inner(i, unicode.IsDigit),
			(r == '-' || r == '\'' || r == '’' || r == '&' || r == '_' || r == '/') && inner(i, alphanumeric):
			if r == '’' {
				r = '\''
			}
			word = append(word, r)
		default:
			end()
			out = append(out, sign(r))
		}
	}
	end()
	return out
}

// sign is how the treebank writes a sign.
func sign(r rune) string {
	switch r {
	case '(':
		return "-lrb-"
	case ')':
		return "-rrb-"
	case '{':
		return "-lcb-"
	case '}':
		return "-rcb-"
	case '"', '“', '”':
		return "''"
	case '‘', '’':
		return "'"
	case '…':
		return "..."
	case '–', '—':
		return "--"
	}
	return string(r)
}

// endings are contracted words: the treebank makes words of their own of them.
var endings = []string{"n't", "'s", "'re", "'ve", "'ll", "'d", "'m"}

func contracted(word string) []string {
	if word == "cannot" {
		return []string{"can", "not"}
	}
	for _, end := range endings {
		if before, ok := strings.CutSuffix(word, end); ok && before != "" {
			return append(contracted(before), end)
		}
	}
	if before, after, ok := strings.Cut(word, "'"); ok && len(before) > 1 { // short ones are names, as o'neill
		return append(contracted(before), contracted(after)...)
	}
	return []string{word}
}
