package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"espalier/cmd/shell"
	"espalier/pipeline"
	"espalier/pipeline/chain"
	"espalier/pipeline/fault"
	"espalier/pipeline/report"
)

// kept lists the kept results of a run or of a folder of results, or removes one.
func kept(args []string, stdout *os.File, stderr io.Writer) int {
	flags := shell.Flags("pipeline kept", stderr, "usage: pipeline kept [-rm ID] [FOLDER]\n\nlists the kept results of a run's folder, or of a folder of results (without FOLDER, the user's cache)")
	remove := flags.String("rm", "", "remove the result whose `ID` begins so")
	if status, ended := shell.Parse(flags, args); ended {
		return status
	}
	if flags.NArg() > 1 {
		fmt.Fprintf(stderr, "pipeline kept: unexpected argument %q: name one folder\n", flags.Arg(1))
		return 2
	}
	err := func() error {
		folder := flags.Arg(0)
		if folder == "" {
			var err error
			if folder, err = pipeline.UserStore(); err != nil {
				return &fault.InputError{Err: fmt.Errorf("there is no cache folder (%w); name a run's folder", err)}
			}
		}
		if *remove != "" {
			gone, err := chain.Remove(folder, *remove)
			if err != nil {
				return &fault.InputError{Err: err}
			}
			fmt.Fprintf(shell.Writer(stdout), "removed %s, %s\n", gone.Folder, report.Bytes(gone.Bytes))
			return nil
		}
		return list(stdout, folder)
	}()
	if err != nil {
		fmt.Fprintln(stderr, err)
	}
	return status(err)
}

func list(stdout *os.File, folder string) error {
	all, broken := chain.List(folder)
	if len(all) == 0 && broken != nil {
		return &fault.InputError{Err: broken}
	}
	t := report.Table{Title: "Kept results in " + folder, Columns: []report.Column{{Head: "result", Left: true}, {Head: "place in the chain", Left: true},
		{Head: "size"}, {Head: "took"}, {Head: "age"}, {Head: "stands on", Left: true}}}
	now, total := time.Now(), int64(0)
	for _, l := range all {
		size, took, age := "removed", "", ""
		if l.Folder != "" {
			size, took, age = report.Bytes(l.Bytes), report.Duration(l.Seconds), report.Duration(now.Sub(l.Made).Seconds())
			total += l.Bytes
		}
		if l.Damaged {
			took, age = "damaged", ""
		}
		t.Rows = append(t.Rows, []string{l.ID[:min(len(l.ID), len(l.Step)+9)], l.At, size, took, age, l.StandsOn()})
	}
	if err := drawTable(stdout, t, tableWidth(stdout), bold(isTerminal(stdout))); err != nil {
		return err
	}
	_, err := fmt.Fprintf(shell.Writer(stdout), "  %d results, %s; pipeline kept -rm ID %s removes one; %s in each says what it was computed from\n",
		len(all), report.Bytes(total), filepath.Clean(folder), chain.ManifestName)
	if broken != nil {
		err = &fault.InputError{Err: broken}
	}
	return err
}
