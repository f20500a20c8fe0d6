package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"espalier/cmd/shell"
	"espalier/pipeline"
	"espalier/pipeline/doctor"
)

// doctorCommand looks at what a run needs of this machine.
func doctorCommand(args []string, stdout *os.File, stderr io.Writer) int {
	flags := shell.Flags("pipeline doctor", stderr, "usage: pipeline doctor [-json]\n\nlooks at libtorch, CPU, threads, memory, GPU, cache folder and disk, and says what to do about what is amiss;\nthe exit status is 1 where a run would not work")
	asJSON := flags.Bool("json", false, "print the findings as a list in JSON")
	if status, ended := shell.Parse(flags, args); ended {
		return status
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "pipeline doctor: unexpected argument %q: it takes none\n", flags.Arg(0))
		return 2
	}
	at := doctor.Places{}
	at.Cache, at.CacheErr = pipeline.UserStore()
	var err error
	if at.Work, err = os.Getwd(); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	findings := doctor.Examine(at)
	if err := tell(findings, *asJSON, stdout); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	if !doctor.Sound(findings) {
		return 1
	}
	return 0
}

func tell(findings []doctor.Finding, asJSON bool, stdout io.Writer) error {
	if asJSON {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		return e.Encode(findings)
	}
	out := shell.Writer(stdout)
	for _, f := range findings {
		if _, err := fmt.Fprintln(out, f.Line()); err != nil {
			return err
		}
		if f.Remedy != "" {
			fmt.Fprintf(out, "%-21s→ %s\n", "", f.Remedy)
		}
	}
	return nil
}
