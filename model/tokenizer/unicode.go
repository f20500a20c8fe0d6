package tokenizer

import "unicode"

// isLetter and isNumber are \p{L} and \p{N} of the regular expression of GPT-2.
func isLetter(r rune) bool { return unicode.IsLetter(r) || in(newLetters, r) }

func isNumber(r rune) bool { return unicode.IsNumber(r) || in(newNumbers, r) }

// isWordRune is \w of Rust's regex, which decides where a single_word token may stand.
func isWordRune(r rune) bool {
	return unicode.In(r, unicode.L, unicode.Nl, unicode.Other_Alphabetic, unicode.M, unicode.Nd, unicode.Pc, unicode.Join_Control) ||
		in(newWordRunes, r)
}

// isPunctuation is what BERT splits off: Unicode's punctuation and, below 128, the symbols too.
func isPunctuation(r rune) bool {
	if r < 128 {
		return unicode.IsPunct(r) || unicode.IsSymbol(r)
	}
	// Two that were punctuation in Unicode 8 and are not now.
	return r == 0x166D || r == 0x111C9 || unicode.IsPunct(r) && !in(newPunctuation, r)
}

// isControl is what BERT removes from a text. Unassigned code points stay.
func isControl(r rune) bool {
	switch r {
	case '\t', '\n', '\r':
		return false
	case 0, unicode.ReplacementChar:
		return true
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co) && !in(newFormat, r)
}

// isNonspacingMark is the category Mn, which BERT removes as accents. U+1734 was one up to Unicode 13.
func isNonspacingMark(r rune) bool {
	return r == 0x1734 || unicode.Is(unicode.Mn, r) && !in(newMarks, r)
}

// lower is Rust's char::to_lowercase: one rune, but for İ.
func lower(r rune) []rune {
	switch {
	case r == 'İ':
		return []rune{'i', 0x307}
	case r == 0x1C89, r == 0xA7CC, r == 0xA7CE, r == 0xA7D2, r == 0xA7D4, r == 0xA7DA:
		return []rune{r + 1}
	case r == 0xA7CB:
		return []rune{0x264}
	case r == 0xA7DC:
		return []rune{0x19B}
	case 0x10D50 <= r && r <= 0x10D65: // Garay
		return []rune{r + 32}
	case 0x16EA0 <= r && r <= 0x16EB8: // Beria Erfe
		return []rune{r + 27}
	}
	return []rune{unicode.ToLower(r)}
}
