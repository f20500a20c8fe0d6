package main

import (
	"os"
	"strconv"

	"golang.org/x/term"
)

// isTerminal tells whether bars can be drawn: on a screen that moves its cursor.
func isTerminal(f *os.File) bool {
	return term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

// bold is for headings; it is silent where the output is no terminal or NO_COLOR is set (no-color.org).
func bold(terminal bool) func(string) string {
	if !terminal || os.Getenv("NO_COLOR") != "" {
		return plainly
	}
	return func(s string) string { return "\x1b[1m" + s + "\x1b[0m" }
}

func plainly(s string) string { return s }

// tableWidth is the terminal's width, or what COLUMNS says, or a width that logs bear.
func tableWidth(f *os.File) int {
	if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
		return w
	}
	if w, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && w > 0 {
		return w
	}
	return 100
}
