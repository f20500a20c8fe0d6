package config

import (
	"fmt"
	"strings"
)

// What a configuration may be at most. Nothing that a run needs comes near; TOML decoders take a thousand times the memory of a
// text that is made for it, with long keys or tables within tables.
const (
	maxText  = 1 << 20 // bytes
	maxDepth = 8       // parts of a key's path, and lists within lists
	maxKeys  = 10_000  // keys, and items of lists
	maxKey   = 64      // bytes of one part of a key
)

// limitError is a text beyond these bounds.
type limitError struct {
	line int
	text string
}

func (e *limitError) Error() string { return e.text }

// keyLines gives the line of every key of a TOML text: the path, as "stage[1].distil.steps", to the line, from 1.
// The decoder knows positions too, but forgets them for all but the last of an array of tables and does not
// tell them for keys that it accepts. It also finds, before the decoder sees it, a text beyond what a configuration may be.
// Of a text that is no TOML it gives some lines.
func keyLines(text string) (map[string]int, error) {
	s := &lineScanner{text: text, line: 1, lines: map[string]int{}, rows: map[string]int{}}
	if len(text) > maxText {
		s.limit("it is longer than %d bytes", maxText)
	}
	table := place{}
	for s.skip(" \t\r\n"); s.at < len(s.text) && s.beyond == nil; s.skip(" \t\r\n") {
		start := s.at
		if s.peek() == '[' {
			table = s.header()
		} else {
			s.pair(table)
		}
		s.moveFrom(start)
	}
	if s.beyond != nil {
		return nil, s.beyond
	}
	return s.lines, nil
}

type lineScanner struct {
	text   string
	at     int
	line   int
	lines  map[string]int
	rows   map[string]int // path of an array of tables → how many so far
	beyond *limitError
}

// place is the path of a key and the number of its parts.
type place struct {
	path  string
	depth int
}

// below is a key in a table, or an item of a list.
func (s *lineScanner) below(p place, part string) place {
	switch {
	case len(part) > maxKey:
		s.limit("the key %q… is longer than %d bytes", part[:16], maxKey)
		return place{depth: p.depth + 1}
	case p.depth >= maxDepth:
		s.limit("it is nested deeper than %d tables or lists", maxDepth)
		return place{depth: p.depth + 1}
	}
	if strings.HasPrefix(part, "[") {
		return place{p.path + part, p.depth + 1}
	}
	return place{join(p.path, part), p.depth + 1}
}

// limit keeps the first thing that is beyond what a text may be; the scan ends there.
func (s *lineScanner) limit(format string, args ...any) {
	if s.beyond == nil {
		s.beyond = &limitError{s.line, fmt.Sprintf(format, args...) + ": a configuration is not so large"}
		s.at = len(s.text)
	}
}

// moveFrom goes on by a letter where nothing was read: the text is no TOML there.
func (s *lineScanner) moveFrom(start int) {
	if s.at <= start && s.at < len(s.text) {
		s.next()
	}
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
	s.at = min(s.at+1, len(s.text))
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

// header reads [a.b] or [[a.b]] and gives the table of the keys below it.
func (s *lineScanner) header() place {
	line, isRow := s.line, strings.HasPrefix(s.text[s.at:], "[[")
	s.next()
	if isRow {
		s.next()
	}
	parts := s.key()
	for s.at < len(s.text) && s.peek() == ']' {
		s.next()
	}
	table := place{}
	for i, part := range parts {
		table = s.below(table, part)
		if isRow && i == len(parts)-1 {
			s.rows[table.path]++
			s.note(table.path, line)
		}
		// [stage.distil] speaks of the last [[stage]].
		if n := s.rows[table.path]; n > 0 {
			table.path = fmt.Sprintf("%s[%d]", table.path, n-1)
		}
		s.note(table.path, line)
	}
	return table
}

// pair reads key = value.
func (s *lineScanner) pair(at place) {
	line := s.line
	for _, part := range s.key() {
		at = s.below(at, part)
		s.note(at.path, line)
	}
	s.skip(" \t=")
	s.value(at)
}

// key reads a dotted key up to what follows it.
func (s *lineScanner) key() []string {
	var parts []string
	for {
		s.skip(" \t")
		start := s.at
		if c := s.peek(); c == '"' || c == '\'' {
			s.quoted()
			parts = append(parts, strings.Trim(s.text[start:s.at], string(c)))
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
func (s *lineScanner) value(of place) {
	const blank = " \t\r\n,"
	switch open := s.peek(); open {
	case '"', '\'':
		s.quoted()
	case '[', '{':
		s.next()
		s.skip(blank)
		for i := 0; s.at < len(s.text) && s.peek() != open+2; i++ { // ] and } follow [ and { by two
			start := s.at
			if open == '{' {
				s.pair(of)
			} else {
				item := s.below(of, fmt.Sprintf("[%d]", i))
				s.note(item.path, s.line)
				s.value(item)
			}
			s.moveFrom(start)
			s.skip(blank)
		}
		s.next()
	default:
		for s.at < len(s.text) && strings.IndexByte(",]}#\n", s.peek()) < 0 {
			s.next()
		}
	}
}

// quoted passes over a text in one or three quotes of either kind. One in single quotes ends with its line at the latest.
func (s *lineScanner) quoted() {
	quote := s.text[s.at : s.at+1]
	basic := quote == `"`
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(s.text[s.at:], triple) {
		quote = triple
	}
	s.at += len(quote)
	for s.at < len(s.text) && !strings.HasPrefix(s.text[s.at:], quote) {
		if len(quote) == 1 && s.peek() == '\n' {
			return
		}
		if basic && s.peek() == '\\' {
			s.next()
		}
		s.next()
	}
	s.at = min(s.at+len(quote), len(s.text))
	// Up to two quotes may stand right before the closing three.
	for len(quote) == 3 && s.at < len(s.text) && s.peek() == quote[0] {
		s.at++
	}
}

// note keeps the first line of a path: a table may be added to further down.
func (s *lineScanner) note(path string, line int) {
	if _, ok := s.lines[path]; ok || s.beyond != nil {
		return
	}
	if s.lines[path] = line; len(s.lines) > maxKeys {
		s.limit("it has more than %d keys", maxKeys)
	}
}
