package main

import (
	"fmt"
	"io"
	"os"

	"espalier/cmd/shell"
	"espalier/pipeline"
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
