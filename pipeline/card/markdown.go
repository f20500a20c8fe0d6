package card

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"espalier/pipeline/report"
)

// line is a text in one line, without what no eye sees: it can end neither a table's row nor the front matter, and cannot turn the
// direction of what follows.
func line(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\uFEFF':
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	return strings.Join(strings.Fields(text), " ")
}

// most is how long a name of the user's may be in a card, in characters.
const most = 80

// short is a name in one line that is not too long for a table.
func short(name string) string {
	name = line(name)
	if utf8.RuneCountInString(name) > most {
		name = string([]rune(name)[:most-1]) + "…"
	}
	return name
}

// marks are the characters that Markdown, Hugging Face's formulas or HTML read as more than themselves within a line.
const marks = "\\`*_[]<>#|&~$"

// md is a text that Markdown shows as it is. It stands within a line, never at its beginning.
func md(text string) string {
	var out strings.Builder
	rest := line(text)
	for i, r := range rest {
		address := strings.HasPrefix(rest[i:], "://") || strings.HasPrefix(rest[i:], ".") && strings.HasSuffix(strings.ToLower(rest[:i]), "www")
		if strings.ContainsRune(marks, r) || address { // which would become a link
			out.WriteByte('\\')
		}
		out.WriteRune(r)
	}
	return out.String()
}

// code is a text of the user's in a code span, whose fence is longer than any run of backticks in it.
func code(text string) string {
	text = line(text)
	fence := "`"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	if strings.Contains(text, "`") {
		return fence + " " + text + " " + fence
	}
	return fence + text + fence
}

// table draws a table; its texts are the user's.
func table(t report.Table) string {
	var out strings.Builder
	row := func(cell func(c int) string) {
		for c := range t.Columns {
			out.WriteString("| " + cell(c) + " ")
		}
		out.WriteString("|\n")
	}
	row(func(c int) string { return md(t.Columns[c].Head) })
	row(func(c int) string {
		if t.Columns[c].Left {
			return "---"
		}
		return "---:"
	})
	for _, cells := range t.Rows {
		row(func(c int) string { return md(cells[c]) })
	}
	return out.String()
}

// columns are heads of texts, and behind them heads of numbers.
func columns(texts, numbers []string) (all []report.Column) {
	for _, head := range texts {
		all = append(all, report.Column{Head: head, Left: true})
	}
	for _, head := range numbers {
		all = append(all, report.Column{Head: head})
	}
	return all
}
