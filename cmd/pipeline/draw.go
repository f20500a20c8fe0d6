package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"

	"espalier/cmd/shell"
	"espalier/pipeline/report"
)

// drawReport draws a run's tables and the facts below them, none wider than width columns.
func drawReport(w io.Writer, r *report.Report, width int, bold func(string) string) error {
	for _, t := range r.Tables() {
		if err := drawTable(w, t, width, bold); err != nil {
			return err
		}
	}
	for _, fact := range r.Facts() {
		if _, err := fmt.Fprintln(w, "  "+shell.Escape(fact)); err != nil {
			return err
		}
	}
	return nil
}

// drawTable draws a table in as many parts as the width demands, each headed by its first column: a row that is
// broken over two lines cannot be read down.
func drawTable(w io.Writer, t report.Table, width int, bold func(string) string) error {
	t = escaped(t)
	if _, err := fmt.Fprintln(w, bold(t.Title)); err != nil {
		return err
	}
	parts := split(t, width)
	for i, part := range parts {
		text, err := render(part, i == len(parts)-1)
		if err != nil {
			return fmt.Errorf("table %q: %w", t.Title, err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w)
	return err
}

// escaped is a table without the control characters that names may have.
func escaped(t report.Table) report.Table {
	out := report.Table{Title: shell.Escape(t.Title), Columns: slices.Clone(t.Columns)}
	for i := range out.Columns {
		out.Columns[i].Head = shell.Escape(out.Columns[i].Head)
	}
	for _, row := range t.Rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = shell.Escape(cell)
		}
		out.Rows = append(out.Rows, cells)
	}
	return out
}

// gutter is what render puts around each column.
const gutter = 2

// split takes columns while they fit: whole groups first, and the columns of a group one by one only where the
// group alone is too wide.
func split(t report.Table, width int) []report.Table {
	var parts [][]int
	part, used := []int{0}, columnWidth(t, 0)
	room := width - used
	flush := func() {
		if len(part) > 1 {
			parts = append(parts, part)
			part, used = []int{0}, columnWidth(t, 0)
		}
	}
	for from := 1; from < len(t.Columns); {
		to, wide := from, 0
		for ; to < len(t.Columns) && t.Columns[to].Group == t.Columns[from].Group; to++ {
			wide += columnWidth(t, to)
		}
		if used+wide > width && wide <= room {
			flush()
		}
		for i := from; i < to; i++ {
			if used+columnWidth(t, i) > width {
				flush()
			}
			part, used = append(part, i), used+columnWidth(t, i)
		}
		from = to
	}
	flush()
	var out []report.Table
	for _, columns := range parts {
		out = append(out, pick(t, columns))
	}
	return out
}

func pick(t report.Table, columns []int) report.Table {
	part := report.Table{Title: t.Title}
	for _, i := range columns {
		part.Columns = append(part.Columns, t.Columns[i])
	}
	for _, row := range t.Rows {
		var cells []string
		for _, i := range columns {
			cells = append(cells, row[i])
		}
		part.Rows = append(part.Rows, cells)
	}
	return part
}

func columnWidth(t report.Table, i int) int {
	w := utf8.RuneCountInString(t.Columns[i].Head)
	for _, row := range t.Rows {
		w = max(w, utf8.RuneCountInString(row[i]))
	}
	return w + gutter
}

// render sets one part as a book would: rules above, below and under the heads, none between columns. The rule
// below is left to the next part where there is one.
func render(t report.Table, last bool) (string, error) {
	bottom := tw.Off
	if last {
		bottom = tw.On
	}
	var out bytes.Buffer
	heads, aligns := make([]string, len(t.Columns)), make([]tw.Align, len(t.Columns))
	for i, c := range t.Columns {
		heads[i], aligns[i] = c.Head, tw.AlignRight
		if c.Left {
			aligns[i] = tw.AlignLeft
		}
	}
	cells := tw.CellConfig{
		Formatting: tw.CellFormatting{AutoFormat: tw.Off, AutoWrap: tw.WrapNone},
		Alignment:  tw.CellAlignment{PerColumn: aligns},
	}
	table := tablewriter.NewTable(&out,
		tablewriter.WithConfig(tablewriter.Config{Header: cells, Row: cells, Behavior: tw.Behavior{TrimSpace: tw.On}}),
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
			Borders: tw.Border{Left: tw.Off, Right: tw.Off, Top: tw.On, Bottom: bottom},
			Symbols: tw.NewSymbols(tw.StyleLight),
			Settings: tw.Settings{
				Separators: tw.Separators{BetweenColumns: tw.Off, BetweenRows: tw.Off},
				Lines:      tw.Lines{ShowTop: tw.On, ShowBottom: bottom, ShowHeaderLine: tw.On},
			},
		})),
	)
	table.Header(heads)
	for _, row := range t.Rows {
		if err := table.Append(row); err != nil {
			return "", err
		}
	}
	if err := table.Render(); err != nil {
		return "", err
	}
	var b strings.Builder
	for line := range strings.Lines(out.String()) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return b.String(), nil
}
