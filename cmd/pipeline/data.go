package main

import (
	"fmt"
	"io"
	"os"

	"espalier/cmd/shell"
	"espalier/pipeline/data"
	"espalier/pipeline/fault"
	"espalier/pipeline/report"
)

// dataCommand checks a data set's files.
func dataCommand(args []string, stdout *os.File, stderr io.Writer) int {
	flags := shell.Flags("pipeline data", stderr, "usage: pipeline data check FOLDER\n\nreads all rows and pictures of a data set's folder, or of one file, and lists everything that is wrong, with file and line;\nthe exit status is 2 where something is")
	if status, ended := shell.Parse(flags, args); ended {
		return status
	}
	if flags.NArg() != 2 || flags.Arg(0) != "check" {
		flags.Usage()
		return 2
	}
	checked := data.Check(flags.Arg(1))
	err := drawChecked(stdout, flags.Arg(1), checked)
	if n := len(checked.Faults); err == nil && n > 0 {
		err = fault.Inputf("%s", counted(n))
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
	}
	return status(err)
}

func counted(faults int) string {
	if faults == 1 {
		return "1 fault"
	}
	return fmt.Sprintf("%d faults", faults)
}

// drawChecked lists all faults, then what there is.
func drawChecked(stdout *os.File, root string, c data.Checked) error {
	out := shell.Writer(stdout)
	for _, line := range c.Faults {
		fmt.Fprintln(out, line)
	}
	for _, note := range c.Notes {
		fmt.Fprintln(out, "note: "+note)
	}
	t := report.Table{Title: "What can be read in " + root, Columns: []report.Column{{Head: "split", Left: true}, {Head: "form", Left: true},
		{Head: "files"}, {Head: "pictures"}, {Head: "questions"}, {Head: "fingerprint"}}}
	for _, s := range c.Splits {
		name := s.Name
		if name == "" {
			name = "all"
		}
		t.Rows = append(t.Rows, []string{name, string(s.Form), fmt.Sprint(s.Files), fmt.Sprint(s.Pictures), fmt.Sprint(s.Questions), s.Fingerprint})
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return drawTable(stdout, t, tableWidth(stdout), bold(isTerminal(stdout)))
}
