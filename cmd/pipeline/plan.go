package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"espalier/cmd/shell"
	"espalier/pipeline"
	"espalier/pipeline/config"
	"espalier/pipeline/forecast"
)

// foretell says what a run will take, and trains nothing that is kept; asJSON prints the whole of it as one object.
func foretell(ctx context.Context, cfg *config.Config, span time.Duration, show *display, asJSON bool, stdout *os.File, stderr io.Writer) int {
	f, err := pipeline.Plan(ctx, cfg, pipeline.Options{Events: show.event}, span)
	show.close()
	switch {
	case err != nil:
	case asJSON:
		e := json.NewEncoder(shell.Heard(stdout))
		e.SetIndent("", "  ")
		err = e.Encode(f)
	default:
		err = drawForecast(show.out, f, tableWidth(stdout), show.bold)
	}
	shell.Raise(err)
	err = cause(ctx, err)
	switch {
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "stopped; nothing of the plan is kept")
	case err != nil:
		fmt.Fprintln(stderr, err)
	}
	return status(err)
}

func drawForecast(w io.Writer, f *forecast.Forecast, width int, bold func(string) string) error {
	for _, t := range f.Tables() {
		if err := drawTable(w, t, width, bold); err != nil {
			return err
		}
	}
	for _, fact := range f.Facts() {
		if _, err := fmt.Fprintln(w, "  "+shell.Escape(fact)); err != nil {
			return err
		}
	}
	return nil
}
