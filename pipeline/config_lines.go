package pipeline

import (
	"fmt"
	"strings"
)

// keyLines gives the line of every key of a TOML text: the path, as "stage[1].distil.steps", to the line, from 1.
// The decoder knows positions too, but forgets them for all but the last of an array of tables and does not
// tell them for keys that it accepts. The text must have been parsed without error: what follows relies on it.
func keyLines(text string) map[string]int {
	s := &lineScanner{text: text, line: 1, lines: map[string]int{}, rows: map[string]int{}}
	table := ""
	for s.skip(" \t\r\n"); s.at < len(s.text); s.skip(" \t\r\n") {
		if s.peek() == '[' {
			table = s.header()
		} else {
			s.pair(table)
		}
	}
	return s.lines
}

type lineScanner struct {
	text  string
	at    int
	line  int
	lines map[string]int
	rows  map[string]int // path of an array of tables → how many so far
}

func (s *lineScanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

func (s *lineScanner) next() {
	if s.peek() == '\n' {
		s.line++
	}
	s.at++
}

// skip passes over the given characters, and comments where line ends are among them.
func (s *lineScanner) skip(chars string) {
	for s.at < len(s.text) {
		switch c := s.peek(); {
		case strings.IndexByte(chars, c) >= 0:
			s.next()
		case c == '#' && strings.Contains(chars, "\n"):
			for s.at < len(s.text) && s.peek() != '\n' {
				s.next()
			}
		default:
			return
		}
	}
}

// header reads [a.b] or [[a.b]] and gives the path of the keys below it.
func (s *lineScanner) header() string {
	line, isRow := s.line, strings.HasPrefix(s.text[s.at:], "[[")
	s.at += 1
	if isRow {
		s.at += 1
	}
	parts := s.key()
	for s.at < len(s.text) && s.peek() == ']' {
		s.next()
	}
	path := ""
	for i, part := range parts {
		path = join(path, part)
		if isRow && i == len(parts)-1 {
			s.rows[path]++
			s.note(path, line)
		}
		// [stage.distil] speaks of the last [[stage]].
		if n := s.rows[path]; n > 0 {
			path = fmt.Sprintf("%s[%d]", path, n-1)
		}
		s.note(path, line)
	}
	return path
}

// pair reads key = value.
func (s *lineScanner) pair(table string) {
	line, path := s.line, table
	for _, part := range s.key() {
		path = join(path, part)
		s.note(path, line)
	}
	s.skip(" \t=")
	s.value(path)
}

// key reads a dotted key up to what follows it.
func (s *lineScanner) key() []string {
	var parts []string
	for {
		s.skip(" \t")
		start := s.at
		if c := s.peek(); c == '"' || c == '\'' {
			s.quoted()
			parts = append(parts, s.text[start+1:max(s.at-1, start+1)])
		} else {
			for s.at < len(s.text) && strings.IndexByte(" \t.=]\r\n", s.peek()) < 0 {
				s.next()
			}
			parts = append(parts, s.text[start:s.at])
		}
		s.skip(" \t")
		if s.peek() != '.' {
			return parts
		}
		s.next()
	}
}

// value passes over a value and notes the keys of inline tables in it.
func (s *lineScanner) value(path string) {
	const blank = " \t\r\n,"
	switch s.peek() {
	case '"', '\'':
		s.quoted()
	case '[':
		s.next()
		s.skip(blank)
		for i := 0; s.at < len(s.text) && s.peek() != ']'; i++ {
			item := fmt.Sprintf("%s[%d]", path, i)
			s.note(item, s.line)
			s.value(item)
			s.skip(blank)
		}
		s.next()
	case '{':
		s.next()
		s.skip(blank)
		for s.at < len(s.text) && s.peek() != '}' {
			s.pair(path)
			s.skip(blank)
		}
		s.next()
	default:
		for s.at < len(s.text) && strings.IndexByte(",]}#\n", s.peek()) < 0 {
			s.next()
		}
	}
}

// quoted passes over a text in one or three quotes of either kind.
func (s *lineScanner) quoted() {
	quote := s.text[s.at : s.at+1]
	basic := quote == `"`
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(s.text[s.at:], triple) {
		quote = triple
	}
	s.at += len(quote)
	for s.at < len(s.text) && !strings.HasPrefix(s.text[s.at:], quote) {
		if basic && s.peek() == '\\' {
			s.next()
		}
		s.next()
	}
	s.at += len(quote)
	// Up to two quotes may stand right before the closing three.
	for len(quote) == 3 && s.at < len(s.text) && s.peek() == quote[0] {
		s.at++
	}
}

// note keeps the first line of a path: a table may be added to further down.
func (s *lineScanner) note(path string, line int) {
	if _, ok := s.lines[path]; !ok {
		s.lines[path] = line
	}
}
