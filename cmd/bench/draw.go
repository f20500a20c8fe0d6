package main

import (
	"fmt"
	"io"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/tw"

	"espalier/bench"
)

// draw writes the table: medians with quartiles, and whether each target is met.
func draw(w io.Writer, rows []bench.Row) error {
	t := tablewriter.NewTable(w, tablewriter.WithHeaderAutoFormat(tw.Off))
	t.Header("measure", "Espalier", "PyTorch eager", "ratio", "at most", "")
	for _, r := range rows {
		verdict := "met"
		if !r.Met() {
			verdict = "missed"
		}
		if err := t.Append(r.Name, span(r.Here), span(r.There), fmt.Sprintf("%.2f", r.Ratio), fmt.Sprintf("%.2f", r.Target), verdict); err != nil {
			return err
		}
	}
	return t.Render()
}

// span writes the median and quartiles in the unit that suits them.
func span(q bench.Quartiles) string {
	unit, scale := "ms", 1e3
	if q.Median < 1e-5 {
		unit, scale = "ns", 1e9
	}
	return fmt.Sprintf("%.4g %s [%.4g, %.4g]", q.Median*scale, unit, q.Low*scale, q.High*scale)
}
