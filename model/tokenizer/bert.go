package tokenizer

import "unicode"

// plainSpace makes every kind of white space a plain one.
func plainSpace(r rune) []rune {
	if unicode.IsSpace(r) {
		return []rune{' '}
	}
	return []rune{r}
}

// setApart puts spaces around Chinese characters, so that each becomes a word.
func setApart(s *span) {
	edits := make([]edit, 0, len(s.text))
	for _, r := range s.text {
		if isChinese(r) {
			edits = append(edits, edit{' ', 0}, edit{r, 1}, edit{' ', 1})
		} else {
			edits = append(edits, edit{r, 0})
		}
	}
	s.rewrite(edits, 0)
}

// isChinese names the blocks that BERT names; 0x2B820 to 0x2B91F are missing there too.
func isChinese(r rune) bool {
	return 0x4E00 <= r && r <= 0x9FFF || 0x3400 <= r && r <= 0x4DBF || 0x20000 <= r && r <= 0x2A6DF ||
		0x2A700 <= r && r <= 0x2B73F || 0x2B740 <= r && r <= 0x2B81F || 0x2B920 <= r && r <= 0x2CEAF ||
		0xF900 <= r && r <= 0xFAFF || 0x2F800 <= r && r <= 0x2FA1F
}
