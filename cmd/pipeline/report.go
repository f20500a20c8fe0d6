package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"espalier/cmd/shell"
	"espalier/pipeline"
	"espalier/pipeline/journal"
	"espalier/pipeline/report"
)

// reportCommand writes a finished run's report.html again.
func reportCommand(args []string, stdout *os.File, stderr io.Writer) int {
	flags := shell.Flags("pipeline report", stderr, "usage: pipeline report RUN\n\nwrites report.html again from a finished run's folder: its report.json, what it has kept, and the pictures of its test split")
	if status, ended := shell.Parse(flags, args); ended {
		return status
	}
	if flags.NArg() != 1 {
		flags.Usage()
		return 2
	}
	file := filepath.Join(flags.Arg(0), journal.ReportName)
	if said, err := report.Read(file); err == nil && len(said.Config) == 0 {
		fmt.Fprintf(stderr, "pipeline report: %s has no config, which every run writes: name the folder of a finished run\n", file)
		return 2
	}
	show := newDisplay(stdout)
	path, err := pipeline.WritePage(flags.Arg(0), show.event)
	show.close()
	if err != nil {
		fmt.Fprintln(stderr, err)
		return status(err)
	}
	fmt.Fprintln(shell.Writer(stdout), path)
	return 0
}
