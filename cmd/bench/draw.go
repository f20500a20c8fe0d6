package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"

	"espalier/bench"
)

// line is an event as a line of text.
func line(e bench.Event) string {
	switch e := e.(type) {
	case bench.Note:
		return e.Text
	case bench.Measured:
		return "measured " + e.Row.Name
	}
	return ""
}

// drawReport draws the table of the two sides and the facts below it.
func drawReport(w io.Writer, r *bench.Report) error {
	rows := [][]string{{"measure", "Go", "Python", "Go / Python", "", "at most", ""}}
	for _, m := range r.Rows {
		amount := duration
		if m.Bytes {
			amount = mebibytes
		}
		cells := []string{m.Name, amount(m.Here.Median), "", "", "", "", ""}
		if m.Target > 0 {
			cells[5] = fmt.Sprintf("%.2f", m.Target)
		}
		if m.There != nil {
			cells[2], cells[3], cells[4] = amount(m.There.Median), fmt.Sprintf("%.2f", m.Ratio.Median), fmt.Sprintf("[%.2f – %.2f]", m.Ratio.Low, m.Ratio.High)
			if m.Target > 0 {
				cells[6] = verdict(m.Reached)
			}
		}
		rows = append(rows, cells)
	}
	if err := draw(w, rows); err != nil {
		return err
	}
	if err := drawRates(w, r); err != nil {
		return err
	}
	_, err := fmt.Fprint(w, facts(r))
	return err
}

func mebibytes(n float64) string { return fmt.Sprintf("%.0f MiB", n/(1<<20)) }

// drawRates draws how much is done in a second, where that is counted: operations of matrix products and attention, or bytes of a copy.
func drawRates(w io.Writer, r *bench.Report) error {
	rows := [][]string{{"a second, one operation a multiplication or addition", "Go", "Python"}}
	for _, m := range r.Rows {
		if m.Work == 0 || m.There == nil {
			continue
		}
		rows = append(rows, []string{m.Name, fmt.Sprintf("%.1f G", m.Work/m.Here.Median/1e9), fmt.Sprintf("%.1f G", m.Work/m.There.Median/1e9)})
	}
	if len(rows) > 1 {
		if err := draw(w, rows); err != nil {
			return err
		}
	}
	for _, e := range r.Exponents() {
		if _, err := fmt.Fprintf(w, "  seconds of a training step grow as %s to the power of %.2f; with Python, %.2f\n", e.Over, e.Here, e.There); err != nil {
			return err
		}
	}
	return nil
}

func verdict(reached bool) string {
	if reached {
		return "ok"
	}
	return "missed"
}

// facts say what the figures stand on.
func facts(r *bench.Report) string {
	var b strings.Builder
	m := r.Machine
	fmt.Fprintf(&b, "  medians of the times, and of the ratios round by round with their quartiles; threads: %d\n", m.Threads)
	fmt.Fprintf(&b, "  %s, %d cores, load %.1f when it began; libtorch %s\n", m.CPU, m.Cores, m.Load, m.LibTorch)
	if m.Python != "" {
		fmt.Fprintf(&b, "  Python %s, its libtorch_cpu %s\n", m.Python, map[bool]string{true: "the same byte for byte", false: "of another build"}[m.SameLibrary])
	}
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "  %s differ by %.2g, %.2g is allowed\n", c.Name, c.Difference, c.Allowed)
	}
	return b.String()
}

// drawCheckpoints draws the sizes and speeds of checkpoints, and how they stand to the first.
func drawCheckpoints(w io.Writer, list []bench.Checkpoint) error {
	rows := [][]string{{"checkpoint", "parameters", "MB", "p50 ms", "p99 ms", "answers/s", "smaller", "faster", "throughput"}}
	first := list[0]
	for _, c := range list {
		rows = append(rows, []string{c.Folder, thousands(c.Parameters), fmt.Sprintf("%.1f", float64(c.Bytes)/1e6),
			fmt.Sprintf("%.2f", c.LatencyMS.P50), fmt.Sprintf("%.2f", c.LatencyMS.P99), fmt.Sprintf("%.0f", c.Throughput.AnswersPerS),
			times(float64(first.Parameters) / float64(c.Parameters)), times(first.LatencyMS.P50 / c.LatencyMS.P50),
			times(c.Throughput.AnswersPerS / first.Throughput.AnswersPerS)})
	}
	return draw(w, rows)
}

func times(x float64) string { return fmt.Sprintf("%.1f×", x) }

// duration gives seconds three digits and a unit.
func duration(seconds float64) string {
	for _, u := range []struct {
		name  string
		scale float64
	}{{"ns", 1e9}, {"µs", 1e6}, {"ms", 1e3}} {
		switch v := seconds * u.scale; {
		case v < 9.995:
			return fmt.Sprintf("%.2f %s", v, u.name)
		case v < 99.95:
			return fmt.Sprintf("%.1f %s", v, u.name)
		case v < 999.5:
			return fmt.Sprintf("%.0f %s", v, u.name)
		}
	}
	return fmt.Sprintf("%.2f s", seconds)
}

func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// draw sets a table, its first row the heads and its first column to the left, with rules above, below and under the heads. left says
// which other columns are texts.
func draw(w io.Writer, rows [][]string, left ...bool) error {
	aligns := make([]tw.Align, len(rows[0]))
	for i := range aligns {
		aligns[i] = tw.AlignRight
	}
	aligns[0] = tw.AlignLeft
	for i, is := range left {
		if is {
			aligns[i] = tw.AlignLeft
		}
	}
	cells := tw.CellConfig{
		Formatting: tw.CellFormatting{AutoFormat: tw.Off, AutoWrap: tw.WrapNone},
		Alignment:  tw.CellAlignment{PerColumn: aligns},
	}
	var out bytes.Buffer
	table := tablewriter.NewTable(&out,
		tablewriter.WithConfig(tablewriter.Config{Header: cells, Row: cells, Behavior: tw.Behavior{TrimSpace: tw.On}}),
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
			Borders: tw.Border{Left: tw.Off, Right: tw.Off, Top: tw.On, Bottom: tw.On},
			Symbols: tw.NewSymbols(tw.StyleLight),
			Settings: tw.Settings{
				Separators: tw.Separators{BetweenColumns: tw.Off, BetweenRows: tw.Off},
				Lines:      tw.Lines{ShowTop: tw.On, ShowBottom: tw.On, ShowHeaderLine: tw.On},
			},
		})),
	)
	table.Header(rows[0])
	if err := table.Bulk(rows[1:]); err != nil {
		return err
	}
	if err := table.Render(); err != nil {
		return err
	}
	for l := range strings.Lines(out.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(l, " \n")); err != nil {
			return err
		}
	}
	return nil
}
