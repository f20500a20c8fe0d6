package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"espalier/bench"
	"espalier/pipeline/report"
)

// measureEnergy measures what -energy asks for, draws it, and writes the picture where there is a path.
func measureEnergy(ctx context.Context, checkpoints []string, o bench.Options, picture string, out io.Writer) (*report.Energy, error) {
	e, err := bench.Energy(ctx, checkpoints, o, func(e bench.Event) { fmt.Fprintln(out, line(e)) })
	if err != nil {
		return nil, err
	}
	if picture != "" {
		if e.Modelled.Year == nil {
			return e, errors.New("bench: there is no year to draw: no joules are known")
		}
		if err := e.Modelled.Year.WritePlot(picture); err != nil {
			return e, err
		}
	}
	return e, drawEnergy(out, e)
}

func drawEnergy(out io.Writer, e *report.Energy) error {
	for _, t := range e.Tables() {
		var heads []string
		var left []bool
		for _, c := range t.Columns {
			heads, left = append(heads, c.Head), append(left, c.Left)
		}
		fmt.Fprintln(out, t.Title)
		if err := draw(out, append([][]string{heads}, t.Rows...), left...); err != nil {
			return err
		}
		fmt.Fprintln(out)
	}
	for _, fact := range e.Facts() {
		fmt.Fprintln(out, "  "+fact)
	}
	return nil
}
