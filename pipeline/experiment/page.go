package experiment

import (
	"fmt"
	"os"
	"strings"

	"espalier/pipeline/fault"
	"espalier/torch/disk"
)

// markers are the lines of a Markdown page between which an experiment's table stands.
func markers(name string) (begin, end string) {
	return "<!-- begin " + name + " -->", "<!-- end " + name + " -->"
}

// Markdown is the table, the notes and the conclusions.
func (r *Results) Markdown() string {
	t := r.Table()
	var b strings.Builder
	rule := ""
	for _, c := range t.Columns {
		fmt.Fprintf(&b, "| %s ", c.Head)
		if c.Left {
			rule += "|---"
		} else {
			rule += "|---:"
		}
	}
	b.WriteString("|\n" + rule + "|\n")
	for _, row := range t.Rows {
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
	}
	for _, line := range r.Notes() {
		b.WriteString("\n" + line + "\n")
	}
	if verdicts := r.Verdicts(); len(verdicts) > 0 {
		b.WriteString("\n")
		for _, v := range verdicts {
			b.WriteString("- " + v.Line() + "\n")
		}
	}
	return b.String()
}

// HasPlace is an error unless a page has the markers of the experiment's table, each once.
func (f *File) HasPlace(page string) error {
	_, _, err := f.around(page)
	return err
}

// around is what stands before and behind the experiment's table in a page.
func (f *File) around(page string) (before, after string, err error) {
	text, err := os.ReadFile(page)
	if err != nil {
		return "", "", err
	}
	begin, end := markers(f.Name)
	before, rest, ok := strings.Cut(string(text), begin+"\n")
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed || strings.Count(string(text), begin) > 1 {
		return "", "", fault.Inputf("%s: the table of %s belongs between a line %q and a line %q, each there once", page, f.Name, begin, end)
	}
	return before, after, nil
}

// WriteInto puts the table between its markers in a page.
func (r *Results) WriteInto(page string) error {
	before, after, err := r.File.around(page)
	if err != nil {
		return err
	}
	begin, end := markers(r.File.Name)
	return disk.Write(page, []byte(before+begin+"\n"+r.Markdown()+end+after))
}
